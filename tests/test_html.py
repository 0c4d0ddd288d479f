"""Every page in a browser, as HTML that scripts/preview.py makes without Quarto: wide and narrow, light and dark.

Run by `make pages`. Needs pandoc, the package playwright and a Chromium (`CHROMIUM=/path/to/it` if it isn't found). PAGES=19,notation looks at some of them; HTML=folder takes what preview.py made before, or the site that Quarto rendered (_docs); SHOTS=folder keeps pictures."""
import contextlib, importlib.util, json, os, re, shutil, subprocess
from pathlib import Path
import pytest

pytestmark = pytest.mark.html
root = Path(__file__).resolve().parent.parent
some = tuple(filter(None, os.environ.get('PAGES', '').split(',')))
names = sorted(str(p.relative_to(root/'nbs').with_suffix('')) for p in (root/'nbs').glob('**/*.ipynb')
               if not any(d[0] in '._' for d in p.relative_to(root/'nbs').parts) and (not some or p.stem.startswith(some)))
views = [(width, mode) for width in (1280, 390) for mode in ('light', 'dark')]

@pytest.fixture(scope='session')
def site(tmp_path_factory):
    "The folder of all pages."
    if made := os.environ.get('HTML'): return Path(made).resolve()
    if not shutil.which('pandoc'): pytest.skip('no pandoc')
    spec = importlib.util.spec_from_file_location('preview', root/'scripts/preview.py')
    module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
    out = tmp_path_factory.mktemp('site')
    module.preview(out, some)
    return out

@pytest.fixture(params=views, ids=lambda v: f'{v[0]}-{v[1]}', scope='session')
def view(request, browser):
    "A tab of one width and one theme, which hears of everything that is asked of other hosts."
    width, mode = request.param
    tab = browser.new_page(viewport=dict(width=width, height=900), color_scheme=mode)
    tab.asked = []
    tab.on('request', lambda r: tab.asked.append(r.url))
    yield tab, mode, width
    with contextlib.suppress(Exception): tab.close()

def file_of(site, name):
    "A page of preview.py, or Quarto's, whose name has no number."
    return own if (own := site/f'{name}.html').exists() else own.with_name(re.sub(r'^\d+_', '', own.name))

WIDER = """() => [...document.querySelectorAll('main *')].filter(e => {
  let r = e.getBoundingClientRect();
  if (r.width === 0 || r.right <= document.documentElement.clientWidth + 1) return false;
  for (let p = e.parentElement; p; p = p.parentElement) if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(p).overflowX)) return false;
  return true }).map(e => e.tagName + ' ' + (e.className.baseVal ?? e.className) + ' ' + e.textContent.slice(0, 40)).slice(0, 5)"""

FAINT = """() => {
  let rgb = s => s.match(/[\\d.]+/g).map(Number), lin = v => (v /= 255) <= .03928 ? v/12.92 : ((v + .055)/1.055)**2.4;
  let lum = c => .2126*lin(c[0]) + .7152*lin(c[1]) + .0722*lin(c[2]), found = {};
  for (let e of document.querySelectorAll('main h1, main h2, main h3, main p, main li, main td, main th, main a, main code, main summary, main figcaption, main math')) {
    if (!e.textContent.trim()) continue;
    let ground = null;
    for (let p = e; p && !ground; p = p.parentElement) { let c = rgb(getComputedStyle(p).backgroundColor); if (c.length < 4 || c[3] === 1) ground = c }
    let [a, b] = [lum(rgb(getComputedStyle(e).color)), lum(ground)].sort((x, y) => y - x), ratio = (a + .05)/(b + .05);
    if (ratio < 4.5) found[e.tagName] = [ratio.toFixed(2), e.textContent.slice(0, 40)] }
  return found }"""

@pytest.mark.parametrize('name', names)
def test_page_reads_well(site, view, name):
    tab, mode, width = view
    tab.asked.clear()
    tab.goto(file_of(site, name).as_uri(), wait_until='load')
    if not tab.evaluate("document.body.classList.contains('nav-sidebar')"): tab.evaluate(f"document.body.className = 'quarto-{mode}'")
    assert tab.evaluate(f"document.body.classList.contains('quarto-{mode}')"), 'the reader asked for the other theme'
    tab.evaluate("document.querySelectorAll('[loading=lazy]').forEach(i => i.loading = 'eager')")
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    if shots := os.environ.get('SHOTS'): Path(shots).mkdir(exist_ok=True); tab.screenshot(path=f'{shots}/{Path(name).stem}-{width}-{mode}.png', full_page=True)
    assert tab.evaluate('document.documentElement.scrollWidth') <= tab.evaluate('document.documentElement.clientWidth'), f'wider than {width}: {tab.evaluate(WIDER)}'
    assert not [u for u in tab.asked if not u.startswith(('file:', 'data:'))], 'loads something from another host'
    assert tab.evaluate("[...document.images].filter(i => !i.alt.trim() || !i.naturalWidth).map(i => i.src.slice(-60))") == [], 'a picture is missing, or has no alternative text'
    assert tab.evaluate("document.querySelectorAll('merror').length") == 0, 'a formula was not understood'
    assert tab.evaluate(FAINT) == {}, 'text that is too faint'

@pytest.mark.parametrize('body, wide', [('<main><p>short</p></main>', False), ('<main><div style="width: 900px">long</div></main>', True), ('<main><pre>' + 'x'*900 + '</pre></main>', False)])
def test_a_page_that_scrolls_sideways_is_seen(browser, tmp_path, body, wide):
    "A telephone scrolls sideways where a block is wider than the page; code scrolls in a box of its own."
    (tmp_path/'a.html').write_text(f'<!doctype html><meta name="viewport" content="width=device-width"><link rel="stylesheet" href="{(root/"nbs/styles.css").as_uri()}"><body>{body}')
    with contextlib.closing(browser.new_page(viewport=dict(width=390, height=800))) as tab:
        tab.goto((tmp_path/'a.html').as_uri())
        assert tab.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth') == wide
        assert bool(tab.evaluate(WIDER)) == wide

# the tabs of the plan theatre

def pages_tabs(theatre):
    "The prose of the page as pandoc reads it: the blocks of its `panel-tabset`."
    cells = json.loads(theatre.read_text(encoding='utf-8'))['cells']
    text = '\n\n'.join('::: {.cell}\n~~~~\ncode\n~~~~\n:::' if c['cell_type'] == 'code' else ''.join(c['source']) for c in cells)
    return tabs_of(text), tabs_of(re.sub(r'<div class="panel-tabset">(.*?)</div>', r'::: {.panel-tabset}\1:::', text, flags=re.S))

def tabs_of(text):
    done = subprocess.run(['pandoc', '-f', 'markdown', '-t', 'json'], input=text, capture_output=True, text=True, check=True)
    found = [b['c'] for b in json.loads(done.stdout)['blocks'] if b['t'] == 'Div' and 'panel-tabset' in b['c'][0][1]]
    assert len(found) == 1
    return found[0][1]

def test_tabs_are_what_quarto_documents():
    "HTML's div, which JupyterLab hides, is to pandoc the same as the documented `::: {.panel-tabset}`: a heading, a sentence and an animation for each of six tabs."
    if not shutil.which('pandoc'): pytest.skip('no pandoc')
    ours, documented = pages_tabs(root/'nbs/7_play/27_plan_theatre.ipynb')
    assert ours == documented and ''.join(b['t'][0] for b in ours) == 6*'HPD'
    assert {b['c'][0] for b in ours if b['t'] == 'Header'} == {3}

TABS = """<!doctype html><style>.tab-content > .tab-pane { display: none } .tab-content > .active { display: block }</style><link rel="stylesheet" href="%s">
<div class="panel-tabset"><ul class="nav nav-tabs" role="tablist"><li class="nav-item"><a class="nav-link active">one</a></li><li class="nav-item"><a class="nav-link">two</a></li></ul>
<div class="tab-content"><div class="tab-pane active">first</div><div class="tab-pane">second</div></div></div>"""

@pytest.mark.parametrize('scripts, media, shown', [(True, 'screen', ['first']), (False, 'screen', ['first', 'second']), (True, 'print', ['first', 'second'])])
def test_tabs_without_scripts_are_read_one_after_the_other(browser, tmp_path, scripts, media, shown):
    "In the shape that Quarto and Bootstrap give to tabs, with the site's own style sheet."
    (tmp_path/'tabs.html').write_text(TABS % (root/'nbs/styles.css').as_uri())
    with contextlib.closing(browser.new_context(java_script_enabled=scripts)) as context:
        tab = context.new_page(); tab.emulate_media(media=media); tab.goto((tmp_path/'tabs.html').as_uri())
        assert [t.inner_text() for t in tab.locator('.tab-pane').all() if t.is_visible()] == shown
        assert tab.locator('.nav-tabs').is_visible() == scripts
