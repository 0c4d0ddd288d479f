"The one browser that drives JupyterLab and looks at rendered pages."
import os, shutil
import pytest

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
