"""Rules can be tried anywhere, because they need no database."""

import subprocess
import sys

LOOK = """
import sys
import loyalty.earning.checking, loyalty.earning.highest_share, loyalty.earning.presets, loyalty.earning.taking_back
print(sorted(name for name in sys.modules if name.startswith(("django.db", "crm", "loyalty.models"))))
"""


def test_the_engine_loads_no_database_code() -> None:
    looked = subprocess.run([sys.executable, "-c", LOOK], check=True, capture_output=True, text=True)

    assert looked.stdout.strip() == "[]"
