"""Settings for every test, made before anything imports torch."""

import os

from hypothesis import settings

# Threads of torch that wait for each other burn a whole core each by default, which makes a busy
# machine ten times slower than its load explains.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says more about the machine than about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
