"What several test files share: promises with their sizes, and the one browser."
import datetime, json, os, platform, shutil, subprocess
from pathlib import Path
import pytest

FULL = os.environ.get('SOAK', '') not in ('', '0')

@pytest.fixture
def size(request) -> dict:
    "The sizes in the test's `promise` mark, `name=(in CI, in full)`: the second with SOAK=1 (make soak), else the first."
    return {k: v[FULL] for k, v in request.node.get_closest_marker('promise').kwargs.items()}

def pytest_collection_modifyitems(items):
    "What a test promises goes into its report."
    for item in items:
        if mark := item.get_closest_marker('promise'): item.user_properties.append(('promise', dict(text=mark.args[0], sizes=mark.kwargs)))

def _row(reports) -> dict:
    "One promise as a row: what was promised, its sizes, how it went, and the numbers its test recorded by `record_property`."
    told = [dict(r.user_properties) for r in reports]
    numbers = {k: v for t in told for k, v in t.items() if k != 'promise'}
    return dict(promise=told[0]['promise']['text'], sizes=told[0]['promise']['sizes'], passed=all(r.passed for r in reports),
                seconds=round(sum(r.duration for r in reports), 1), measured=numbers)

def pytest_terminal_summary(terminalreporter):
    "With SOAK_OUT, write the promises that were kept or broken to that file, beside those that it holds already."
    path = Path(os.environ.get('SOAK_OUT') or os.devnull)
    kept = [r for k in ('passed', 'failed') for r in terminalreporter.stats.get(k, []) if any(n == 'promise' for n, _ in r.user_properties)]
    if path == Path(os.devnull) or not kept: return
    commit = subprocess.run(['git', 'rev-parse', '--short=12', 'HEAD'], cwd=Path(__file__).parent, capture_output=True, text=True).stdout.strip()
    where = dict(date=datetime.date.today().isoformat(), commit=commit, machine=f'{platform.system()}, {os.cpu_count()} cores', python=platform.python_version(), full=FULL)
    rows = json.loads(path.read_text()) if path.exists() else {}
    for test in dict.fromkeys(r.nodeid.partition('[')[0] for r in kept):
        rows[test] = _row([r for r in kept if r.nodeid.partition('[')[0] == test]) | where
    path.write_text(json.dumps(dict(sorted(rows.items())), indent=1) + '\n')

def chromium():
    return os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)

@pytest.fixture(scope='session')
def browser():
    api = pytest.importorskip('playwright.sync_api')
    if not chromium(): pytest.skip('no Chromium; set CHROMIUM to its path')
    with api.sync_playwright() as p:
        b = p.chromium.launch(executable_path=chromium(), args=['--no-sandbox'])
        yield b
        b.close()
