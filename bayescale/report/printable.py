"""Text that comes from a table or a shell, made fit to be shown: what cannot be seen, or turns what follows around, is written out."""


def printable(text: str, *, lines: bool = False) -> str:
    """Return a text with its invisible characters as escapes such as \\u202e; line breaks become spaces, or stay.

    Examples
    --------
    >>> printable("a\\u202eb")
    'a\\\\u202eb'
    """
    kept = "\n" if lines else ""
    flat = text if lines else " ".join(text.splitlines())
    return "".join(one if one.isprintable() or one in kept else one.encode("unicode_escape").decode() for one in flat)
