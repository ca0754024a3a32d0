"""What takes several fits: approaches laid beside one another."""
