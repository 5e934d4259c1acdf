import pytest

from harness import STORE, Receiver, Server


def pytest_runtest_setup(item):
    mark = item.get_closest_marker("embedded")
    if mark and STORE != "embedded":
        pytest.skip(f"embedded store only: {mark.args[0]}")


def pytest_collection_modifyitems(items):
    # The longest file comes first, so that no worker has this file alone at the end.
    items.sort(key=lambda item: item.path.name != "test_native_openapi.py")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of this module's own, so that modules see only what they made."""
    server = Server(tmp_path_factory.mktemp("server")).start()
    yield server
    assert server.stop() == 0, "the server did not drain well"


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver
