"""Which gateway is chosen, with which key, and what is refused in words."""

import pytest

from darkroom.errors import SettingsError
from darkroom.gateways import Key, choose_gateway, load_gateways

SECRET = "r8_AbCdEfGhIjKlMnOpQrStUvWxYz"


def test_without_any_key_the_sandbox_runs_and_says_which_variable_changes_that() -> None:
    choice = choose_gateway({})
    assert (choice.gateway.name, choice.gateway.is_embedded, choice.key.variable) == ("sandbox", True, "")
    assert not choice.key
    assert "REPLICATE_API_TOKEN" in choice.reason


@pytest.mark.parametrize(
    ("variable", "name", "base_url"),
    [
        ("REPLICATE_API_TOKEN", "replicate", "https://api.replicate.com"),
        ("COMETAPI_KEY", "cometapi", "https://api.cometapi.com/replicate"),
        ("DEERAPI_KEY", "deerapi", "https://api.deerapi.com/replicate"),
        ("OPENAI_HK_API_KEY", "openai-hk", "https://api.openai-hk.com/replicate"),
    ],
)
def test_a_key_variable_chooses_its_gateway(variable: str, name: str, base_url: str) -> None:
    choice = choose_gateway({variable: SECRET})
    assert (choice.gateway.name, choice.gateway.base_url) == (name, base_url)
    assert (choice.key.reveal(), choice.key.variable) == (SECRET, variable)
    assert variable in choice.reason


def test_of_two_keys_the_first_in_the_documented_order_wins_and_the_reason_says_so() -> None:
    choice = choose_gateway({"DEERAPI_KEY": "sk-deer", "REPLICATE_API_TOKEN": SECRET})
    assert choice.gateway.name == "replicate"
    assert "deerapi" in choice.reason
    assert "DARKROOM_GATEWAY" in choice.reason


def test_a_named_gateway_wins_over_another_key() -> None:
    choice = choose_gateway({"DARKROOM_GATEWAY": "DeerAPI", "DEERAPI_KEY": "sk-deer", "REPLICATE_API_TOKEN": SECRET})
    assert (choice.gateway.name, choice.key.reveal()) == ("deerapi", "sk-deer")


def test_the_general_key_variable_serves_the_named_gateway() -> None:
    choice = choose_gateway({"DARKROOM_GATEWAY": "cometapi", "DARKROOM_API_KEY": "sk-mine"})
    assert (choice.key.reveal(), choice.key.variable) == ("sk-mine", "DARKROOM_API_KEY")


@pytest.mark.parametrize("empty", ["", "   ", "${REPLICATE_API_TOKEN}", "${user_config.api_key}"])
def test_an_empty_value_or_an_unfilled_placeholder_counts_as_unset(empty: str) -> None:
    assert choose_gateway({"REPLICATE_API_TOKEN": empty, "DARKROOM_BASE_URL": empty}).gateway.name == "sandbox"


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "//"])
def test_a_base_url_is_taken_with_or_without_v1_and_slash(ending: str) -> None:
    environ = {"DARKROOM_BASE_URL": f"https://images.example.com/team{ending}", "DARKROOM_API_KEY": "sk-mine"}
    choice = choose_gateway(environ)
    assert (choice.gateway.name, choice.gateway.base_url) == ("custom", "https://images.example.com/team")
    assert choice.gateway.origin == "https://images.example.com"


@pytest.mark.parametrize("path", ["", "/replicate", "/replicate/v1", "/v1"])
def test_the_own_address_of_a_profile_is_recognised_with_or_without_its_path(path: str) -> None:
    choice = choose_gateway({"DARKROOM_BASE_URL": f"https://api.cometapi.com{path}", "COMETAPI_KEY": "sk-mine"})
    assert (choice.gateway.name, choice.gateway.base_url) == ("cometapi", "https://api.cometapi.com/replicate")


@pytest.mark.parametrize("address", ["https://key4u.example", "https://key4u.example/replicate/v1/"])
def test_a_gateway_without_a_fixed_address_takes_it_from_the_person(address: str) -> None:
    environ = {"DARKROOM_GATEWAY": "key4u", "KEY4U_API_KEY": "sk-mine", "DARKROOM_BASE_URL": address}
    assert choose_gateway(environ).gateway.base_url == "https://key4u.example/replicate"


@pytest.mark.parametrize("name", ["aimanyi", "key4u", "custom"])
def test_a_gateway_without_any_address_is_refused_naming_the_variable(name: str) -> None:
    with pytest.raises(SettingsError, match="DARKROOM_BASE_URL"):
        choose_gateway({"DARKROOM_GATEWAY": name, "DARKROOM_API_KEY": "sk-mine"})


def test_a_named_profile_keeps_its_dialect_at_another_address() -> None:
    environ = {
        "DARKROOM_GATEWAY": "cometapi",
        "DARKROOM_BASE_URL": "http://127.0.0.1:8080",
        "DARKROOM_API_KEY": "sk-mine",
    }
    gateway = choose_gateway(environ).gateway
    assert (gateway.name, gateway.base_url, gateway.creates) == (
        "cometapi",
        "http://127.0.0.1:8080",
        ("model-path", "model-body"),
    )


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000", "http://localhost:8000/v1", "http://[::1]:8000"])
def test_plain_http_and_no_key_are_fine_on_this_machine(address: str) -> None:
    choice = choose_gateway({"DARKROOM_BASE_URL": address})
    assert choice.gateway.is_loopback
    assert not choice.key


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://images.example.com", "https://"),
        ("http://localhost.example.com", "https://"),
        ("http://127.0.0.1.example.com", "https://"),
        ("https://me:secret@images.example.com", "user name or password"),
        ("https://images.example.com@evil.example", "user name or password"),
        ("https://images.example.com/?key=1", "without"),
        ("https://images.example.com:99999", "https://host:port"),
        ("https://images.example.com:-1", "https://host:port"),
        ("https://images.example.com/a\0b", "https://host:port"),
        ("https://[::1", "not an address"),
        ("ftp://images.example.com", "https://host"),
        ("images.example.com", "https://host"),
        ("https://", "https://host"),
    ],
)
def test_an_address_that_could_leak_the_key_is_refused(address: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        choose_gateway({"DARKROOM_BASE_URL": address, "DARKROOM_API_KEY": "sk-mine"})
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "address", ["https://proxy.example.com", "http://127.0.0.1:8000", "https://api.replicate.com:8443"]
)
def test_the_key_of_a_profile_never_unlocks_another_address(address: str) -> None:
    environ = {"DARKROOM_GATEWAY": "replicate", "REPLICATE_API_TOKEN": SECRET, "DARKROOM_BASE_URL": address}
    with pytest.raises(SettingsError, match="DARKROOM_API_KEY") as caught:
        choose_gateway(environ)
    assert SECRET not in caught.value.message


def test_an_unnamed_address_does_not_get_the_key_of_a_profile() -> None:
    with pytest.raises(SettingsError, match="DARKROOM_API_KEY"):
        choose_gateway({"REPLICATE_API_TOKEN": SECRET, "DARKROOM_BASE_URL": "https://proxy.example.com"})


def test_a_key_without_a_gateway_is_asked_which_gateway() -> None:
    with pytest.raises(SettingsError, match="DARKROOM_GATEWAY .*replicate"):
        choose_gateway({"DARKROOM_API_KEY": "sk-mine"})


def test_a_named_gateway_without_a_key_names_the_variables() -> None:
    with pytest.raises(SettingsError, match="COMETAPI_KEY or .* or DARKROOM_API_KEY"):
        choose_gateway({"DARKROOM_GATEWAY": "cometapi"})


def test_an_unknown_gateway_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="'replicat'.*replicate, cometapi"):
        choose_gateway({"DARKROOM_GATEWAY": "replicat"})


@pytest.mark.parametrize("key", ["sk-one two", "sk-line\nbreak", "sk-ключ"])
def test_a_key_that_cannot_be_one_is_refused_without_being_quoted(key: str) -> None:
    with pytest.raises(SettingsError, match="COMETAPI_KEY") as caught:
        choose_gateway({"COMETAPI_KEY": key})
    assert key not in caught.value.message


def test_images_come_from_any_public_host_unless_the_person_names_some() -> None:
    environ = {"REPLICATE_API_TOKEN": SECRET}
    assert choose_gateway(environ).gateway.output_hosts == ("*",)
    environ["DARKROOM_OUTPUT_HOSTS"] = "cdn.example.com, *.Example.org"
    assert choose_gateway(environ).gateway.output_hosts == ("cdn.example.com", "*.example.org")


def test_a_store_on_this_machine_narrows_nothing() -> None:
    environ = {"REPLICATE_API_TOKEN": SECRET, "DARKROOM_OUTPUT_HOSTS": "127.0.0.1:9000, localhost:9001,[::1]:9"}
    gateway = choose_gateway(environ).gateway
    assert gateway.output_hosts == ("*",)
    assert gateway.local_stores == ("127.0.0.1:9000", "localhost:9001", "[::1]:9")


@pytest.mark.parametrize(
    "listed",
    [
        "https://cdn.example.com",
        "cdn.example.com/x",
        "cdn.example.com:8443",
        "127.0.0.1:99999",
        "a b",
        "10.0.0.1:80",
        "x@y",
    ],
)
def test_a_host_for_images_that_could_never_match_is_refused_by_name(listed: str) -> None:
    with pytest.raises(SettingsError, match="DARKROOM_OUTPUT_HOSTS"):
        choose_gateway({"REPLICATE_API_TOKEN": SECRET, "DARKROOM_OUTPUT_HOSTS": f"replicate.delivery, {listed}"})


def test_a_key_shows_itself_only_when_asked() -> None:
    key = Key(SECRET, "REPLICATE_API_TOKEN")
    shown = f"{key} {key!r} {key.masked} {[key]} {choose_gateway({'REPLICATE_API_TOKEN': SECRET})!r}"
    assert SECRET not in shown
    assert key.masked == "r8_A…Yz"
    assert key.reveal() == SECRET


def test_a_short_key_shows_nothing() -> None:
    assert (Key("sk-12345").masked, Key("").masked) == ("…", "")


def test_every_profile_is_complete_and_speaks_https() -> None:
    for gateway in load_gateways().values():
        assert gateway.title
        assert gateway.creates
        assert gateway.link_lifetime_s == 3600
        assert gateway.is_embedded or not gateway.base_url or gateway.base_url.startswith("https://")
        assert gateway.base_url.endswith(gateway.base_path) or not gateway.base_url
