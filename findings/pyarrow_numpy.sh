#!/usr/bin/env bash
# pyarrow 26.0.1 with numpy 1.26.4.
# Expected: pip reports that the two do not fit, since pyarrow works with numpy 2 only.
# Happens: the wheel declares no requirement at all, pip installs both and `pip check` is content;
# then `import pyarrow` raises a plain ImportError, in programs that never asked for numpy as well.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "numpy==1.26.4" "pyarrow==26.0.1"
echo "pip check: $("$folder/venv/bin/pip" check)"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import requires, version

print(f"pyarrow {version('pyarrow')}, numpy {version('numpy')}, pyarrow requires {requires('pyarrow')}")
try:
    import pyarrow
except ImportError as error:
    print(f"import pyarrow: {type(error).__name__}: {error}")
    sys.exit(0 if "NumPy 2.0 or newer" in str(error) else 1)
print("import pyarrow works now")
sys.exit(1)
PYTHON
