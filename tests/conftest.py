"""What every test shares: one event loop, and no setting of the person who runs them."""

import os

import pytest
from hypothesis import HealthCheck, settings

# No test depends on how busy the machine is.
settings.register_profile("darkroom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("darkroom")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """All of darkroom runs on asyncio under anyio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, gateway or folder of the person who runs the tests reaches one."""
    for name in os.environ:
        if name.startswith("DARKROOM_") or name.endswith(("_API_KEY", "_API_TOKEN", "_KEY")):
            monkeypatch.delenv(name)
