"""config.toml below the environment: what it may hold, what comes first, and how it is told when it is wrong."""

import os
import re
from pathlib import Path

import pytest
import systems
from forking_program import run_darkroom

from darkroom.errors import SettingsError
from darkroom.settings import Settings
from darkroom.settings_sources import config_folder

KEY = "r8_Canary0canary1canary2"


def written(home: Path, text: str | bytes) -> Path:
    """The person's file with this text."""
    folder = config_folder(around(home))
    assert folder
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def around(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "USERPROFILE": str(home)}


def test_every_kind_of_value_is_read_from_the_file(tmp_path: Path) -> None:
    written(
        tmp_path,
        '\ufeffgateway = "custom"\nbase_url = "http://127.0.0.1:9/v1"\nwait_seconds = 20\nmax_usd_per_day = 1.5\n'
        'keep_metadata = true\npreviews = "off"\ninput_dirs = ["~/a", "/b"]\noutput_dir = "${HOME}/out"\n'
        'output_hosts = ["cdn.example.com", "*.example.org"]\nlog_level = ""\n',
    )
    settings = Settings.read(around(tmp_path))
    assert (settings.wait_seconds, settings.max_usd_per_day, settings.keep_metadata) == (20, 1.5, True)
    assert (settings.previews, settings.log_level) == ("off", "WARNING")
    assert settings.input_paths[:2] == (tmp_path / "a", Path("/b").absolute())
    assert settings.output_location == str(tmp_path / "out")
    assert settings.choice.gateway.base_url == "http://127.0.0.1:9"
    assert settings.choice.gateway.output_hosts == ("cdn.example.com", "*.example.org")


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "wait_seconds = 20\nmax_usd_per_day = 1\n")
    settings = Settings.read({**around(tmp_path), "DARKROOM_WAIT_SECONDS": "30", "DARKROOM_MAX_USD_PER_DAY": "${x}"})
    assert (settings.wait_seconds, settings.max_usd_per_day) == (30, 1)
    assert settings.sources.place_of("DARKROOM_WAIT_SECONDS") == "DARKROOM_WAIT_SECONDS"
    assert settings.sources.place_of("DARKROOM_MAX_USD_PER_DAY") == f"max_usd_per_day in {path}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_usd_day = 1", r"max_usd_day in .*config\.toml is no setting of darkroom\. Closest: max_usd_per_day\."),
        ("wait_seconds = 900", r"wait_seconds in .*config\.toml is '900'\. Allowed: whole seconds"),
        ("max_usd_per_day = nan", r"max_usd_per_day in .*Allowed: US dollars"),
        ('gateway = "nowhere"', r"known gateways: .* See gateway in .*config\.toml\."),
        ('proxy = "proxy:3128"', r"DARKROOM_PROXY must look like .* See proxy in .*config\.toml\."),
        (f'api_key = "{KEY}"', r"holds a key under 'api_key'.*key set GATEWAY"),
        (f'replicate_api_token = "{KEY}"', r"holds a key under 'replicate_api_token'"),
        (f'proxy = "http://a:{KEY}@proxy:3128"', r"password does not belong in .*DARKROOM_PROXY"),
        (f"[gateway]\nx = '{KEY}'", r"'gateway' in .* is neither a text"),
        ("input_dirs = [1]", r"'input_dirs' in .* is neither a text"),
        ("wait_seconds = 2026-01-01", r"'wait_seconds' in .* is neither a text"),
        (f"key {KEY}", r"config\.toml' is not TOML: look at .*line 1"),
        (f'x = "{KEY}', r"is not TOML: look at "),
        ("a = " + "[" * 5_000, r"is nested too deeply|is not TOML"),
        (b"\xff\xfe", r"it is not UTF-8"),
        (b"x" * 2_000_000, r"is not a file of settings"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_and_the_rest_is_kept(text: str | bytes, words: str, tmp_path: Path) -> None:
    written(tmp_path, text)
    settings = Settings.read_or_problem({**around(tmp_path), "DARKROOM_MAX_USD_PER_CALL": "2"})
    assert settings.problem
    assert re.search(words, settings.problem.message, re.DOTALL), settings.problem.message
    assert KEY not in settings.problem.message and len(settings.problem.message) <= 400
    assert settings.max_usd_per_call == 2
    with pytest.raises(SettingsError):
        settings.options()


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    written(tmp_path, "").unlink()
    folder = config_folder(around(tmp_path))
    assert folder
    (folder / "config.toml").mkdir()
    assert "is not a file of settings" in str(Settings.read_or_problem(around(tmp_path)).problem)


@systems.linux
@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/home/ada"}, Path("/home/ada/.config/darkroom")),
        ({"HOME": "/home/ada", "XDG_CONFIG_HOME": "/etc/ada"}, Path("/etc/ada/darkroom")),
        ({"HOME": "ada"}, None),
        ({}, None),
    ],
)
def test_the_folder_is_where_applications_keep_their_settings(environ: dict[str, str], folder: Path | None) -> None:
    assert config_folder(environ) == folder


@pytest.mark.parametrize("text", ["wait_seconds = 20\n", "wait_seconds = \n"])
def test_doctor_says_where_each_value_comes_from(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM_")}
    environ |= around(tmp_path) | {"DARKROOM_MAX_USD_PER_DAY": "3", "DARKROOM_PROXY": "http://ada:s3cret@proxy:3128"}
    done = run_darkroom(["doctor"], environ, tmp_path, timeout_s=120)
    assert "Traceback" not in done.stderr
    assert "max_usd_per_day = 3, from the environment (DARKROOM_MAX_USD_PER_DAY)." in done.stdout
    assert "s3cret" not in done.stdout
    if "20" in text:
        assert done.returncode == 0, done.stdout
        assert f"wait_seconds = 20, from {path}. Default: 25." in done.stdout
        assert "proxy = http://proxy:3128" in done.stdout
    else:
        assert f"!!  Settings: '{path}' is not TOML: look at" in done.stdout
