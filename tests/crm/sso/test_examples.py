"""The examples of docs/sso.md, run as they stand there, by the interpreters that this machine has."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils import timezone

from crm.models import Channel, Member, ShopKey
from crm.sso.exchange import take_shop_token
from crm.sso.judging import Purpose, audience

PAGE = Path(__file__).parents[3] / "docs" / "sso.md"
COMMANDS = {"php": ["php"], "js": ["node", "-"], "python": [sys.executable, "-"]}


@pytest.mark.parametrize("language", COMMANDS)
def test_the_example_signs_a_buyer_in(language: str, xiaolu: Member, shop: Channel, key: ShopKey, secret: str) -> None:
    command = COMMANDS[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    [example] = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    environment = {
        "KEY_ID": key.key_id,
        "KEY_SECRET": secret,
        "AUDIENCE": audience(shop.code, Purpose.SIGN_IN),
        "BUYER": "小鹿爱喝茶",
    }

    run = subprocess.run(
        command, input=example, env=os.environ | environment, capture_output=True, text=True, check=True, timeout=60
    )

    assert take_shop_token(run.stdout, Purpose.SIGN_IN, timezone.now()).member_id == xiaolu.pk
