"""Settings for every test, made before anything imports torch."""

import os

# Threads of torch that wait for each other burn a whole core each by default, which makes a busy
# machine ten times slower than its load explains.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
