"""A test that skips itself fails: the rule in tests/support/excuses.py, tried on tests that do.

Method: pytester runs small test files under this suite's own hooks.
"""

import pytest

from tests.support.provisioning import ROOT

EXCUSES = {
    "mark": "import pytest\n@pytest.mark.SKIP\ndef test_a(): pass\n",
    "call": "import pytest\ndef test_a(): pytest.SKIP('no server')\n",
    "fixture": "import pytest\n@pytest.fixture\ndef server(): pytest.SKIP('no server')\ndef test_a(server): pass\n",
    "module": "import pytest\npytest.SKIP('no server', allow_module_level=True)\ndef test_a(): pass\n",
    "expected": "import pytest\n@pytest.mark.XFAIL(strict=False)\ndef test_a(): assert False\n",
}


@pytest.mark.parametrize("how", EXCUSES)
def test_an_excused_test_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    source = EXCUSES[how].replace("SKIP", "ski" + "p").replace("XFAIL", "x" + "fail")
    pytester.makepyfile(source)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = pytester.runpytest_subprocess("-p", "tests.support.excuses")
    assert result.ret != pytest.ExitCode.OK
    counted = result.parseoutcomes()
    assert counted.get("failed", 0) + counted.get("errors", 0) == 1
    assert not {"skipped", "xfailed", "xpassed"} & set(counted)
