"""Every interactive widget of the book, moved in a real browser: JupyterLab runs the page, a control is moved, the picture changes.

On the live pages (Play) the same is then done by the keyboard alone.

Run by `make browser`. Needs the packages playwright and jupyterlab, and a Chromium (`CHROMIUM=/path/to/it` if it isn't found)."""
import contextlib, json, os, re, secrets, shutil, socket, subprocess, sys, time, urllib.request
from pathlib import Path
import pytest

pytestmark = pytest.mark.browser
root = Path(__file__).resolve().parent.parent
token = secrets.token_hex(16)
settings = {'@jupyterlab/notebook-extension/tracker': {'windowingMode': 'none', 'autoStartDefaultKernel': True},
            '@jupyterlab/apputils-extension/notification': {'fetchNews': 'false', 'checkForUpdates': False}}

def live_cells(path):
    "How many cells of a page call `interact`."
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    return sum(bool(re.search(r'^interact\(', ''.join(c['source']), re.M)) for c in cells if c['cell_type'] == 'code')

pages = sorted(p.relative_to(root/'nbs') for p in (root/'nbs').glob('**/*.ipynb') if not any(d[0] in '._' for d in p.relative_to(root/'nbs').parts) and live_cells(p))

@pytest.fixture(scope='session')
def lab(tmp_path_factory):
    "The address of a JupyterLab that shows a copy of the book, at test size, with settings of its own."
    pytest.importorskip('jupyterlab')
    base = tmp_path_factory.mktemp('lab'); book = base/'book'
    for folder in ('nbs', 'jepa_tutorial'):
        shutil.copytree(root/folder, book/folder, ignore=shutil.ignore_patterns('.ipynb_checkpoints', '_proc', '__pycache__'), symlinks=True)
    for name, values in settings.items():
        f = (base/'settings'/name).with_suffix('.jupyterlab-settings'); f.parent.mkdir(parents=True, exist_ok=True); f.write_text(json.dumps(values))
    with socket.socket() as s: s.bind(('127.0.0.1', 0)); port = s.getsockname()[1]
    env = dict(os.environ, IN_TEST='1', OMP_NUM_THREADS='2', PYTHONPATH=str(book), JUPYTERLAB_SETTINGS_DIR=str(base/'settings'),
               **{f'JUPYTER_{k}_DIR': str(base/k.lower()) for k in ('CONFIG', 'RUNTIME')})
    args = [f'--port={port}', '--ip=127.0.0.1', '--no-browser', '--allow-root', f'--ServerApp.root_dir={book}', f'--IdentityProvider.token={token}',
            '--ServerApp.port_retries=50', '--LabApp.expose_app_in_browser=True']
    with open(base/'log', 'w') as log: server = subprocess.Popen([sys.executable, '-m', 'jupyterlab', *args], env=env, stdout=log, stderr=log)
    try:
        for _ in range(1200):
            assert server.poll() is None, f'JupyterLab did not start: {(base/"log").read_text()[-2000:]}'
            if found := re.search(r'http://127\.0\.0\.1:(\d+)/', (base/'log').read_text()): port = found[1]      # another one, if somebody took it meanwhile
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f'http://127.0.0.1:{port}/api?token={token}', timeout=60); break
            time.sleep(.5)
        yield f'http://127.0.0.1:{port}/lab/tree/nbs'
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired): server.wait(20)
        server.kill()

patience = 1000*int(os.environ.get('PATIENCE', '90'))        # how long to wait for anything, ms
app = 'window.jupyterapp'
run_all = f"async () => {{ await {app}.commands.execute('notebook:run-all-cells'); }}"
widgets = '.jp-OutputArea .widget-vbox:has(img.widget-image)'

def move(control):
    "Move one control of a widget."
    if control.locator('.noUi-handle').count():
        handle = control.locator('.noUi-handle').first; handle.focus()
        before = control.locator('.widget-readout').first.inner_text() if control.locator('.widget-readout').count() else ''
        handle.press('ArrowRight')
        if before and control.locator('.widget-readout').first.inner_text() == before: handle.press('ArrowLeft')
    elif control.locator('select').count():
        menu = control.locator('select').first; menu.select_option(index=(menu.evaluate('s => s.selectedIndex') + 1) % menu.locator('option').count())
    elif control.locator('button').count(): control.locator('button').first.click()
    elif control.locator('input[type=checkbox]').count(): control.locator('input[type=checkbox]').first.click()
    else: pytest.fail('a widget without a control that this test knows')

@contextlib.contextmanager
def opened(path, lab, browser):
    "A page of the book, run from top to bottom without an error."
    page = browser.new_page(viewport=dict(width=1300, height=1000))
    page.set_default_timeout(patience)
    try:
        page.goto(f'{lab}/{path}?token={token}&reset')
        page.wait_for_function(f"() => {app} && {app}.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")
        page.evaluate(run_all)
        errors = page.locator('.jp-RenderedText[data-mime-type="application/vnd.jupyter.error"], .jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"]:has-text("Traceback")')
        assert not errors.count(), errors.first.inner_text()[-1500:]
        yield page
    finally:
        with contextlib.suppress(Exception): page.evaluate(f"async () => {{ await {app}.shell.currentWidget.sessionContext.shutdown(); }}")
        page.close()

def picture_of(page, widget):
    picture = widget.locator('img.widget-image')
    picture.scroll_into_view_if_needed()
    page.wait_for_function('i => i.naturalWidth > 50', arg=picture.element_handle())
    return picture

def changes(page, picture, before):
    "Does the picture become another one?"
    with contextlib.suppress(Exception): page.wait_for_function('([i, s]) => i.src !== s', arg=[picture.element_handle(), before])
    return picture.get_attribute('src') != before

def test_every_live_page_has_a_widget():
    live = {p.relative_to(root/'nbs') for p in (root/'nbs'/'7_play').glob('*.ipynb')}
    assert len(live) >= 4 and live <= set(pages) and len(pages) >= 8

@pytest.mark.parametrize('page_path', pages, ids=lambda p: p.stem)
def test_widgets_move_their_pictures(page_path, lab, browser):
    expected = live_cells(root/'nbs'/page_path)
    with opened(page_path, lab, browser) as page:
        found = page.locator(widgets)
        assert found.count() == expected, f'{found.count()} of {expected} widgets are on the page'
        for i in range(expected):
            picture = picture_of(page, found.nth(i)); before = picture.get_attribute('src')
            for _ in range(3):                          # a draw may look the same for one step of a slider; not for three
                move(found.nth(i))
                if changes(page, picture, before): break
            else: pytest.fail(f'widget {i}: its picture stays the same')
        if page_path.parts[0] == '7_play': by_keyboard(page, found.first)
        if shots := os.environ.get('SHOTS'):
            found.last.scroll_into_view_if_needed(); Path(shots).mkdir(parents=True, exist_ok=True)
            found.last.screenshot(path=f'{shots}/{page_path.stem}.png'); page.screenshot(path=f'{shots}/{page_path.stem}_page.png')

keys = {'BUTTON': ['Space'], 'DIV': 5*['ArrowRight'], 'SELECT': ['Space', 'ArrowDown', 'Enter']}   # a closed menu leaves the arrows to JupyterLab
back = {'DIV': 5*['ArrowLeft'], 'SELECT': ['Space', 'ArrowUp', 'Enter']}

def by_keyboard(page, widget):
    "Walk back from the cell below the widget with Shift+Tab; each kind of control that is met changes the picture."
    picture, met = picture_of(page, widget), set()
    page.evaluate(f"""() => {{ const book = {app}.shell.currentWidget.content;
        book.activeCellIndex = book.widgets.findIndex(c => /^interact\\(/m.test(c.model.sharedModel.source)) + 1; book.mode = 'command'; book.activate(); }}""")
    for _ in range(60):
        page.keyboard.press('Shift+Tab')
        kind = page.evaluate("""widget => { const e = document.activeElement, own = widget.contains(e) && !e.closest('.widget-play') && e.innerText != '⌫';
            return own && (e.tagName !== 'DIV' || e.classList.contains('noUi-handle')) ? e.tagName : '' }""", widget.element_handle())
        if kind not in keys or kind in met: continue
        before = picture.get_attribute('src')
        for presses in (keys[kind], back.get(kind, keys[kind])):
            for key in presses: page.keyboard.press(key)
            if changes(page, picture, before): met.add(kind); break
        else: pytest.fail(f'a {kind} has the focus, and its key changes nothing')
    assert met, 'no control was reached'
    assert not widget.locator('button:not(.widget-play button)').count() or 'BUTTON' in met, 'no button was reached'
