"""Runs of 4 to 200 tokens per parameter, and prices, used by several tests of decisions."""

import numpy as np

from bayescale import CostModel

RATIOS = np.array([4.0, 100.0, 20.0, 200.0, 10.0, 40.0])
FLOPS = np.geomspace(1e19, 1e21, 6)
PARAMS = np.sqrt(FLOPS / (6 * RATIOS))
RUNS = {"params": PARAMS, "tokens": RATIOS * PARAMS, "flops": FLOPS}
PRICES = CostModel("H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4, accelerators=4096, tokens_per_accelerator=1e5)
