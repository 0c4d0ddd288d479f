"What the site promises, as far as it can be checked without Quarto: sizes, themes, citations, names, numbers in the sidebar."
import ast, base64, importlib.util, itertools, json, re
from pathlib import Path
import pytest, yaml
from jepa_tutorial.tools.site import api_table, buttons, exported_cells, linked, page_of, public_names

root = Path(__file__).resolve().parent.parent
nbs = root/'nbs'
pages = {str(p.relative_to(nbs)): json.loads(p.read_text(encoding='utf-8')) for p in sorted(nbs.glob('**/*.ipynb')) if not any(d[0] in '._' for d in p.relative_to(nbs).parts)}
config = yaml.safe_load((root/'_quarto.yml').read_text())

def script(name):
    "A file of scripts/ as a module."
    spec = importlib.util.spec_from_file_location(name, root/f'scripts/{name}.py')
    module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
    return module
site, preview = script('site'), script('preview')

def prose(name): return '\n'.join(''.join(c['source']) for c in pages[name]['cells'] if c['cell_type'] == 'markdown')

# sizes

def weight(name):
    "Bytes of a page: its text, and the pictures in it and beside it."
    total = 0
    for c in pages[name]['cells']:
        total += len(''.join(c['source']).encode())
        for o in c.get('outputs', []):
            for kind, data in {**o.get('data', {}), 'text': o.get('text', '')}.items():
                text = ''.join(data)
                total += len(base64.b64decode(text)) if kind in ('image/png', 'image/gif') else len(text.encode())
    return total + sum(f.stat().st_size for f in {(nbs/name).parent/m for m in re.findall(r'\]\(([^):\s]+\.(?:gif|png|svg))\)', prose(name))} if f.exists())

@pytest.mark.parametrize('name', pages)
def test_a_page_is_light(name): assert weight(name) < 2_500_000   # 3 MB with what a theme adds

def test_the_site_is_light():
    "Pages, the notebooks for download, and twice the pictures: Quarto keeps copies for social networks. Models and runtime of the pages that run in a browser are measured in test_browser_models.py."
    notebooks = sum((nbs/n).stat().st_size for n in pages)
    assert sum(map(weight, pages)) + notebooks + 2*sum(f.stat().st_size for f in (nbs/'media').iterdir()) < 50_000_000

def test_card_and_icon_are_small():
    from PIL import Image
    card = nbs/config['website']['image']
    assert card.stat().st_size <= 200_000 and Image.open(card).size == (1200, 630)
    assert (nbs/config['website']['favicon']).stat().st_size < 3_000 and config['website']['image-alt']
    assert (nbs/'media/episode.gif').stat().st_size < 1_500_000

# nothing from another host

def page_with(body, head=''):
    "A small page that has nothing wrong but what it is given."
    return f'<html><head><meta property="og:image" content="{site.CARD}">{head}</head><body id="top">{body}</body></html>'

def test_a_good_page_passes(tmp_path):
    (tmp_path/'a b.html').write_text(page_with('<h2 id="here">here</h2>'))
    (tmp_path/'index.html').write_text(page_with(f'<img src="y.png" alt="y"><a href="https://fine.example">1</a><a href="a%20b.html#here">2</a><a href="#">3</a><a href="{site.HOME}/a%20b.html">4</a>'
                                                 '<pre><code>x?@y $$ ](http://a ::: <b>.gif</b></code></pre>'))
    assert site.faults(tmp_path) == []

FAULTS = [('<pre><code>&lt;animation.gif&gt;</code></pre>', 'animation'), ('<p>see <strong>?@eq-cost</strong></p>', 'reference'), ('<p>$$ x \\Bigl( $$</p>', 'formula'),
          ('<td>[[<code>a</code>](https://x.example)](b)</td>', 'link that was not'), ('<p>Call self as a function.</p>', 'documentation of nothing'), ('<p>::: {.note}</p>', 'block'),
          ('<a href="gone.html">x</a>', 'no such file'), ('<a href="#gone">x</a>', 'no such place'), ('<a href="index.html#gone">x</a>', 'no such place'), ('<a href="%HOME%/gone.html">x</a>', 'no such file'),
          ('<script src="https://cdn.example/m.js"></script>', 'cdn.example'), ('<style>@import url("https://fonts.example/x.css")</style>', 'fonts.example'), ('<p style="background: url(//i.example/b.png)">x</p>', 'i.example'),
          ('<img src="x.png">', 'x.png without'), ('<img srcset="https://i.example/b.png 2x" src="x.png" alt="x">', 'i.example')]

@pytest.mark.parametrize('body, said', FAULTS)
def test_checks_find_what_they_look_for(tmp_path, body, said):
    (tmp_path/'index.html').write_text(page_with(body.replace('%HOME%', site.HOME)))
    found = site.faults(tmp_path)
    assert len(found) == 1 and said in found[0]

def test_checks_find_what_is_not_in_the_text(tmp_path):
    (tmp_path/'index.html').write_text(page_with('<img src="x.png" alt="x">').replace('card.png', 'colab.svg'))
    assert len(found := site.faults(tmp_path)) == 1 and 'colab.svg, not' in found[0]
    (tmp_path/'index.html').write_text(page_with('<img src="x.png" alt="x">'))
    (tmp_path/'x.png').write_bytes(b'0'*site.PAGE)
    assert len(found := site.faults(tmp_path)) == 1 and 'weighs' in found[0]
    (tmp_path/'a.css').write_text('@import url("https://fonts.example/x.css"); b { background: url(local.png) }')
    assert any('fonts.example' in f for f in site.faults(tmp_path))

def test_themes_and_formulas_load_nothing():
    html = config['format']['html']
    assert html['html-math-method'] == 'mathml' and (nbs/'media/stix-math.woff2').stat().st_size < 250_000 and 'url("media/stix-math.woff2")' in (nbs/'styles.css').read_text()
    for mode in ('light', 'dark'): assert html['theme'][mode][-1] == f'theme-{mode}.scss' and preview.colours(mode)['web-font-path'] == 'false'

# colours

def luminance(colour):
    parts = [int(colour[i:i+2], 16)/255 for i in (1, 3, 5)]
    return sum(w*(v/12.92 if v <= .03928 else ((v + .055)/1.055)**2.4) for w, v in zip((.2126, .7152, .0722), parts))

def contrast(a, b):
    a, b = sorted((luminance(a), luminance(b)), reverse=True)
    return (a + .05)/(b + .05)

@pytest.mark.parametrize('mode', ['light', 'dark'])
def test_text_stands_out(mode):
    assert round(contrast('#000000', '#ffffff')) == 21
    c = preview.colours(mode)
    pairs = [('body-color', 'body-bg'), ('link-color', 'body-bg'), ('text-muted', 'body-bg'), ('toc-color', 'body-bg'), ('code-color', 'code-bg'), ('body-color', 'code-block-bg'), ('link-color', 'code-block-bg')]
    assert {p: round(contrast(c[p[0]], c[p[1]]), 2) for p in pairs if contrast(c[p[0]], c[p[1]]) < 4.5} == {}
    assert contrast('#ffffff', c['primary']) >= 4.5   # the bar at the top

def test_words_can_be_read_and_marks_be_seen():
    "Every colour of the palette has 4.5 : 1 on white, and any other is darkened until it has."
    from jepa_tutorial.tools.plotting import COLORS, contrast as ours, ink
    for k in (k for k in COLORS if k != 'cycle'):
        assert contrast(COLORS[k], '#ffffff') >= 4.5 and ink(k) == COLORS[k].lower(), k
        assert round(ours(COLORS[k]), 2) == round(contrast(COLORS[k], '#ffffff'), 2)
    for c in ('#e69f00', '#56b4e9', '#ffff00', '#ffffff'):
        assert contrast(c, '#ffffff') < 3 and 4.5 <= contrast(ink(c), '#ffffff') < 4.8 and 3 <= contrast(ink(c, 3), '#ffffff')

# what a reader sees who lacks one kind of cones (Machado, Oliveira, Fernandes 2009, severity 1), on linear RGB
EYES = dict(all=((1, 0, 0), (0, 1, 0), (0, 0, 1)),
            no_red=((.152286, 1.052583, -.204868), (.114503, .786281, .099216), (-.003882, -.048116, 1.051998)),
            no_green=((.367322, .860646, -.227968), (.280085, .672501, .047413), (-.01182, .04294, .968881)),
            no_blue=((1.255528, -.076749, -.178779), (-.078411, .930809, .147602), (.004733, .691367, .3039)))

def lab(colour, eyes):
    "CIE L*a*b* of a colour as these eyes see it."
    import numpy as np
    v = np.array([int(colour[i:i+2], 16)/255 for i in (1, 3, 5)])
    seen = (np.array(EYES[eyes]) @ np.where(v <= .04045, v/12.92, ((v + .055)/1.055)**2.4)).clip(0, 1)
    xyz = np.array([[.4124, .3576, .1805], [.2126, .7152, .0722], [.0193, .1192, .9505]]) @ seen / (.9505, 1, 1.089)
    f = np.where(xyz > .008856, np.cbrt(xyz), 7.787*xyz + 16/116)
    return np.array([116*f[1] - 16, 500*(f[0] - f[1]), 200*(f[1] - f[2])])

def nearest_pair(colours):
    "How far apart the two are that are hardest to tell, and by which eyes."
    import numpy as np
    return min((float(np.linalg.norm(lab(a, e) - lab(b, e))), e, a, b) for e in EYES for a, b in itertools.combinations(colours, 2))

def test_any_eyes_tell_the_colours_apart():
    from jepa_tutorial.tools.plotting import COLORS
    palette = {COLORS[k] for k in COLORS if k != 'cycle'}
    assert len(palette) == 8 and set(COLORS['cycle']) <= palette
    assert nearest_pair(palette)[0] > 20
    assert nearest_pair(['#ff0000', '#00a000'])[0] < 20 < nearest_pair(['#000000', '#ffffff'])[0]     # red and green, the classic

WORDS = ('text', 'figtext', 'annotate', 'set_title', 'suptitle', 'set_xlabel', 'set_ylabel', 'bar_label', 'clabel', 'title')

def colours_of_words(source):
    "The expressions that give words in a figure their colour."
    for n in ast.walk(ast.parse(re.sub(r'^[%!].*$', '', source, flags=re.M))):
        if not isinstance(n, ast.Call): continue
        called = getattr(n.func, 'attr', getattr(n.func, 'id', ''))
        yield from (k.value for k in n.keywords if k.arg in ('labelcolor', 'textcolor', 'titlecolor') or k.arg in ('color', 'c', 'colors') and called in WORDS)

def is_readable(e):
    "`ink(…)`, a pen's own shade, a colour that stands out from white as it is, or one of two, chosen for the ground."
    from jepa_tutorial.tools.plotting import COLORS
    if isinstance(e, ast.IfExp): return all(isinstance(v, ast.Constant) for v in (e.body, e.orelse))
    if isinstance(e, ast.Constant): return contrast({'black': '#000000', 'white': '#ffffff'}.get(e.value, e.value), '#ffffff') >= 4.5
    if isinstance(e, ast.Subscript): return getattr(e.value, 'id', '') == 'COLORS' and (not isinstance(e.slice, ast.Constant) or e.slice.value in COLORS)   # all of them are, see above
    return isinstance(e, ast.Call) and getattr(e.func, 'id', '') in ('ink', '_mix')

def test_the_check_of_words_bites():
    found = [is_readable(e) for e in colours_of_words("ax.text(0, 0, 'a', color=PALE['goal']); ax.legend(labelcolor='#9A9A9A'); ax.text(0, 0, 'a', color=ink('#E69F00')); ax.plot(x, color='#9A9A9A')")]
    assert found == [False, False, True]

# white words on a ground that is itself dark enough: page, the line's beginning
ON_DARK = {('2_model/05_jepa.ipynb', "ax.text(x, y, text, ha='center', va='center', color='white'")}

@pytest.mark.parametrize('name', pages)
def test_words_in_figures_can_be_read(name):
    "No page writes in a pale colour: its words are in the palette's colours, or go through `ink`."
    for c in pages[name]['cells']:
        source = ''.join(c['source'])
        if c['cell_type'] != 'code' or source.startswith('%%'): continue
        for page, line in ON_DARK:
            if page == name and line in source:
                assert 'fc=ink(name)' in source
                source = source.replace(line, line.replace("'white'", "'black'"))
        assert [ast.unparse(e) for e in colours_of_words(source) if not is_readable(e)] == []

@pytest.mark.parametrize('lit', [[], ['world'], ['encoder', 'planner'], ['cost']])
def test_the_architecture_can_be_read_whatever_is_lit(lit):
    "Every word of the drawing, on what is painted beneath it: 4.5 : 1, be its part lit or pale."
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_hex
    from matplotlib.text import Text
    from jepa_tutorial.tools.architecture import architecture
    fig = architecture(lit).fig; FigureCanvasAgg(fig)
    words = [t for t in fig.findobj(Text) if t.get_text()]
    fig.canvas.draw(); places = [t.get_window_extent() for t in words]
    shades = [to_hex(t.get_color()) for t in words]
    for t in words: t.set_visible(False)
    fig.canvas.draw(); picture = np.asarray(fig.canvas.buffer_rgba())[::-1, :, :3]
    assert len(words) > 30
    for t, b, shade in zip(words, places, shades):
        ground = np.median(picture[int(b.y0):int(b.y1) + 1, int(b.x0):int(b.x1) + 1].reshape(-1, 3), 0)
        assert contrast(shade, to_hex(ground/255)) >= 4.5, t.get_text()

# citations

entries = set(re.findall(r'^@\w+\{([\w-]+),', (nbs/'references.bib').read_text(encoding='utf-8'), re.M))
cited = {name: set(re.findall(r'(?<=[\[; ])-?@([a-z]+\d{4}\w+)', prose(name))) for name in pages}

def test_citations_resolve():
    assert set().union(*cited.values()) == entries, 'a key without an entry, or an entry that nobody cites'

ARXIV = dict(re.findall(r'@\w+\{([\w-]+),(?:(?!\n@).)*?arxiv\.org/abs/(\d{4}\.\d{5})', (nbs/'references.bib').read_text(encoding='utf-8'), re.S))

@pytest.mark.parametrize('name', pages)
def test_papers_that_are_named_are_cited(name):
    "Whoever gives a number of the arXiv also cites the entry that has it."
    keys = {number: key for key, number in ARXIV.items()}
    missing = {number for number in re.findall(r'arXiv (\d{4}\.\d{5})', prose(name)) if keys.get(number) not in cited[name]}
    assert not missing

def test_no_link_within_a_link():
    "A public name in backticks becomes a link, unless it is one already."
    assert linked('`CEM`', 'appendix/api.ipynb', nbs) == '[`CEM`](../5_planning/cem.html#cem)'
    for text in ('[`CEM`](a.html)', '[the `CEM`](a.html)', '## `CEM`', '```python\n`CEM`\n```', '`plan`'): assert linked(text, 'appendix/api.ipynb', nbs) == text

def test_references_to_other_pages_say_where():
    assert linked('(@eq-refit)', '5_planning/16_cem.ipynb', nbs) == '(@eq-refit)'
    assert re.fullmatch(r'\(\[equation \d+ of chapter 16\]\(\.\./5_planning/16_cem\.ipynb#eq-refit\)\)', linked('(@eq-refit)', '4_training/12_training.ipynb', nbs))
    assert linked('@eq-nowhere', 'index.ipynb', nbs) == '@eq-nowhere'      # Quarto warns, and a warning fails the build

def test_every_page_has_the_books_card():
    for kind in ('open-graph', 'twitter-card'): assert config['website'][kind]['image'] == '/media/card.png' and config['website'][kind]['image-alt']
    assert config['format']['html']['respect-user-color-scheme'] is True

def test_exported_code_is_documented_then_folded():
    cells = exported_cells(dict(cell_type='code', outputs=[], directives_={'export': []}, source='N = 3\nclass A:\n    "An A."\n    def f(self): pass\ndef _g(): pass'), set())
    assert [c['cell_type'] for c in cells] == ['markdown', 'markdown', 'code']
    assert '[]{#n} []{#a.f}' in cells[0]['source'] and cells[1]['source'].startswith('### A {#a}') and cells[2]['source'].startswith('#| code-fold: true\n#| code-summary: "Source"\nN = 3')
    only = lambda source, *marks: exported_cells(dict(cell_type='code', outputs=[], directives_=dict.fromkeys(marks), source=source), set())[-1]['source'].split('\n')
    assert only('import re', 'export')[1] == '#| code-summary: "Imports"' and only('def _g(): pass', 'export')[1] == '#| code-summary: "Helpers"'
    assert only('def _g(): pass', 'exports') == ['def _g(): pass']       # meant to be read, and nothing above it

def test_every_listed_name_has_its_place():
    "Each link of the API page leads to a heading or a place that the exported cells make."
    places = {}
    for name, nb in pages.items():
        taken, text = set(), ''
        for c in nb['cells']:
            source = ''.join(c['source'])
            if c['cell_type'] == 'code' and re.match(r'#\| exports?\n', source): text += '\n'.join(x['source'] for x in exported_cells(dict(c, source=re.sub(r'^#\|.*\n', '', source, flags=re.M), directives_=['export']), taken))
        places[name] = set(re.findall(r'\{#([\w.]+)\}', text))
    wanted = [page_of(m, n).split('#') for m, names in public_names().items() for n in names]
    assert [(p, a) for p, a in wanted if a not in places[p]] == []

# names and numbers

def test_every_public_name_is_listed():
    "The page shows what the source has, and each link leads to a page that exports the name."
    shown = '\n'.join(''.join(o['data'].get('text/markdown', '')) for c in pages['appendix/api.ipynb']['cells'] for o in c.get('outputs', []) if 'data' in o)
    for module, names in public_names().items():
        for name in names:
            assert f'[`{name}`](../{page_of(module, name)})' in shown, f'{module}.{name} is missing: make execute NB=api'
            code = '\n'.join(''.join(c['source']) for c in pages[page_of(module, name).split('#')[0]]['cells'] if c['cell_type'] == 'code')
            assert re.search(rf'\b{name}\b', code)
    assert api_table(public_names()) == shown.strip().split('\n\n[')[0] or api_table(public_names()).strip() in shown

def entries_of(items):
    for e in items:
        if 'contents' in e: yield from entries_of(e['contents'])
        else: yield e

def test_sidebar_numbers_the_chapters():
    sidebar = yaml.safe_load((nbs/'sidebar.yml').read_text())['website']['sidebar']['contents']
    for e in entries_of(sidebar):
        path = e if isinstance(e, str) else e['href']
        if path.endswith('.qmd'):
            assert re.search(r'^title: (.*)$', (nbs/path).read_text(encoding='utf-8'), re.M)[1] == e['text']; continue
        number, title = Path(path).stem[:2], ''.join(pages[path]['cells'][0]['source']).split('\n')[0].removeprefix('# ')
        if number.isdigit(): assert not isinstance(e, str) and e['text'] == f'{number}  {title}', f'{path}: text: "{number}  {title}"'

texts = sorted(p for p in nbs.glob('[0-9]*/*.qmd'))

@pytest.mark.parametrize('path', texts, ids=lambda p: p.stem)
def test_pages_without_a_notebook_lead_somewhere(path):
    "Links, scripts and styles of a .qmd exist; its description is short; what it loads when rendered is named as a resource."
    text = path.read_text(encoding='utf-8')
    assert len(texts) == 2 and 20 < len(re.search(r'^description: "(.*)"$', text, re.M)[1]) <= 94
    found = re.findall(r'\]\(([^)\s#]+)\)', text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(found) > 4 and [l for l in found if not (path.parent/l).exists()] == []
    resources = yaml.safe_load(text.split('---')[1])['resources']
    assert {Path(r).parent for r in resources} == {Path('browser'), Path('browser/models'), Path('browser/runtime')}

def test_scripts_are_narrow():
    "As the code of the book: no line has more than 100 characters, and nothing is loaded from another host."
    scripts = [*(nbs/'7_play/browser').glob('*.js'), *(nbs/'7_play/browser').glob('*.css')]
    assert len(scripts) >= 9
    for f in scripts:
        source = f.read_text(encoding='utf-8')
        assert [l for l in source.split('\n') if len(l) > 100] == [], f.name
        assert f.suffix == '.css' or source.startswith('// '), f'{f.name} does not say what it is'
        assert not re.search(r'https?://', source), f.name

def test_buttons_lead_to_this_page():
    text = buttons('5_planning/19_episodes.ipynb')
    for part in ('](../media/colab.svg)', '](../media/download.svg)', 'nbs/5_planning/19_episodes.ipynb)', '/notebooks/5_planning/19_episodes.ipynb){download="19_episodes.ipynb"}'): assert part.replace('.svg)', '.svg)') in text

def test_citation_file_agrees_with_the_settings():
    from configparser import ConfigParser
    settings = ConfigParser(delimiters=['=']); settings.read(root/'settings.ini'); settings = settings['DEFAULT']
    cff = yaml.safe_load((root/'CITATION.cff').read_text())
    assert str(cff['version']) == settings['version'] and cff['repository-code'] == settings['git_url'] and cff['authors'][0]['name'] == settings['author']
