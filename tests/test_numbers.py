"""No number of the book comes from nowhere.

A number with a unit of measurement in the prose (Markdown, and the fixed text of cells whose code is hidden) must be one of these:
a choice or a bound that stands in the page's own code; a setting of the package; arithmetic, done again here; a published
figure, whose source the paragraph names; or, in files that can't compute, a measured value at its place in the results.
Every other number is printed by a cell. Those cells that make sentences and tables of the results are run again here, and must say what is stored."""
import ast, contextlib, dataclasses, io, json, math, re, symtable
from pathlib import Path
import pytest, yaml

root = Path(__file__).resolve().parent.parent
nbs = root/'nbs'

def page_files(): return sorted(p for p in nbs.glob('**/*.ipynb') if not any(d[0] in '._' for d in p.relative_to(nbs).parts))
pages = {p.relative_to(nbs).with_suffix('').as_posix(): json.loads(p.read_text(encoding='utf-8'))['cells'] for p in page_files()}
for cells in pages.values():
    for c in cells: c['source'] = ''.join(c['source'])

# what is typed

words = dict(zip('two three four five six seven eight nine ten twelve fifteen twenty thirty forty fifty hundred'.split(), (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 40, 50, 100)))
units = {'%': '%|percent', 'points': r'(?:percentage )?points', 's': r's|seconds?', 'ms': 'ms|milliseconds?', 'µs': 'µs|microseconds?', 'minutes': 'minutes?', 'hours': 'hours?', 'px': 'px|pixels?',
         'episodes': 'episodes?', 'frames': r'frames?', 'million': 'million', 'MB': 'MB', 'GB': 'GB', 'times': r'times (?:as|more|less|fewer|faster|slower|cheaper|longer|dearer)'}
number = r'\d[\d,]*(?:\.\d+)?'
measured = re.compile(rf"(?<![\w.,^/-])(?P<n>{number}|(?:{'|'.join(words)})\b)(?: ± (?P<s>{number}))?[\s ]?(?P<u>{'|'.join(f'(?:{u})' for u in units.values())})(?![\w=^])")

def value(text): return words.get(text) or float(text.replace(',', ''))
def unit(text): return next(k for k, u in units.items() if re.fullmatch(u, text))

def prose(cells):
    "The text of a page as (number of the cell, text), without code, formulas, links and what `make execute` writes."
    for i, c in enumerate(cells):
        text = c['source'] if c['cell_type'] == 'markdown' else captions(c['source'])
        if c['cell_type'] == 'code' and re.search(r'^#\|\s*(echo:\s*false|hide\b)', c['source'], re.M): text += constants(c['source'])
        text = re.sub(r'```.*?```|\$\$.*?\$\$', '', text, flags=re.S)
        text = re.sub(r'`[^`\n]+`|\$[^$\n]+\$|\]\([^)]*\)|^\*\*(?:Reading time|Time)\*\*.*$|\*\(\d+ minutes?(?:, \w+)?\)\*', ' ', text, flags=re.M)
        yield i, text

def captions(source): return '\n\n'.join(re.findall(r'^#\|\s*(?:fig|tbl)-(?:cap|alt):(.*)', source, re.M)) + '\n\n'

def parsed(source): return ast.parse('\n'.join('' if l.lstrip().startswith(('%', '!')) else l for l in source.split('\n')))

def constants(source):
    "The fixed text of a cell."
    return ' '.join(n.value for n in ast.walk(parsed(source)) if isinstance(n, ast.Constant) and isinstance(n.value, str) and ' ' in n.value)

def choices(cells):
    "Every number that stands in the page's code."
    return {float(n.value) for c in cells if c['cell_type'] == 'code' for n in ast.walk(parsed(c['source'])) if isinstance(n, ast.Constant) and type(n.value) in (int, float)}

def settings():
    "Every number that the package is set to: presets, and the defaults of the world, the data and the planners."
    from jepa_tutorial.planning.agent import AgentOptions, Replan
    from jepa_tutorial.planning.cem import CEM
    from jepa_tutorial.planning.mppi import MPPI
    from jepa_tutorial.tools.rows import EPISODES
    from jepa_tutorial.world.two_rooms import GOAL_RADIUS, MAX_STEPS, Rooms
    from jepa_tutorial.world.trajectories import TrajectoryConfig
    def numbers(v):
        if isinstance(v, dict): return set().union(*map(numbers, v.values()))
        if isinstance(v, (list, tuple)): return set().union(*map(numbers, v))
        return {float(v)} if type(v) in (int, float) else set()
    made = [{f.name: f.default for f in dataclasses.fields(k)} for k in (Rooms, TrajectoryConfig, CEM, MPPI, Replan, AgentOptions)]
    presets = [yaml.safe_load(f.read_text()) for f in (root/'jepa_tutorial/configs').glob('*.yaml')]
    return numbers([*made, *presets, EPISODES, GOAL_RADIUS, MAX_STEPS])

# a published figure: number, unit, and the words of which its paragraph must hold one
example = r'publish|EB-JEPA|@terver'
published = {
    **{(v, '%'): example for v in (98, 97, 96, 89, 47, 46, 61, 1)}, (37, 's'): example, (20, 'episodes'): example, (180, 'episodes'): example,
    **{(v, '%'): 'V-JEPA 2|@assran' for v in (100, 80, 50)}, (62, 'hours'): 'V-JEPA 2', (317, 'million'): 'TD-MPC2', (15, 'million'): 'LeWM', (48, 'times'): 'LeWM',
    (95, '%'): 'interval|true rate', (2, 'points'): 'published ±'}

# arithmetic and bounds, by page; what is computed must be the number, or True
worked = {
    'index': {'630 pixels': "int.from_bytes((nbs/'media/card.png').read_bytes()[20:24])"},
    'normalizer': {'4,225 pixels': '65*65'},
    '02_trajectories': {'55 pixels': '65 - 2*5'},
    '03_encoder': {'61 pixels': '1 + 4 + 8*2 + 4*2 + 8*4', '1.4 million': 'round(parameters()/1e6, 1)'},   # a convolution adds 2 of its steps to what is seen, as does the pool; its steps double
    '08_time_similarity': {'8,192 times more': '16*512'},
    '12_training': {'ten minutes': "card('quick')['seconds'] < 600"},
    '13_unrolling': {'five times as': "90/config('quick')['loss']['rollout'] > 5"},
    '15_cost': {'eight percentage points': '97 - 89'},
    '22_planners': {'eight points': '97 - 89'},
    'commands': {'55 pixels': '65 - 2*5'},
    'bench': {'40 ms': '2*20', 'four times as': '40*2/20', '20 milliseconds': '20'},
    'fast': {'five points': 'round(100*1.96*(2*.935*.065/200)**.5)'},     # a difference that two rates of 200 tasks around 93.5 % must have
    'distributed': {'three minutes': "card('random_wall_published')['seconds'] < 180"},
    '29_open_projects': {'60 %': 'apart(.6, .75, 200) and not apart(.6, .75, 20)', '75 %': 'apart(.6, .75, 200)', 'three times as': '1 + 2'},   # forward, and back for states and weights
    '14_refining': {'seven times as': '56/8'},
    '20_scoreboard': {'hundred times fewer': '90 < compute() < 160', '4.3 px': "round(detour('published_v1'), 1)", '8.8 px': "round(detour('random_wall_validation'), 1)",
                      'ten points': "9 <= 100*(rate('full-random_wall-full-s1-e0-published-bounce') - rate('full-random_wall-full-s1-e0-published-stop')) <= 11", '76 %': 'abs(success_of(19, 20)[1] - .76) < .005', '99 %': 'abs(success_of(19, 20)[2] - .99) < .005'},
    'CHANGELOG.md': {'168 seconds': "round(card('random_wall_published')['seconds'])"},
}
# said of nothing that was measured: a supposition, a picture, a number of things
supposed = {('07_variance_covariance', 'four times as'), ('plotting', 'three times as'), ('reproduce', 'ten minutes'), ('rows', 'ten minutes'), ('bench', 'hundred times faster'),
            ('bench', 'two minutes'), ('fast', 'ten times faster')}

def card(name): return json.loads((root/f'jepa_tutorial/weights/{name}.json').read_text())
def config(name): return card(name)['config']
def parameters():
    from jepa_tutorial.model.encoder import ImpalaEncoder
    return sum(p.numel() for p in ImpalaEncoder().parameters())
def apart(p, q, n):
    "Do Wilson's intervals of two rates leave a gap?"
    import torch
    from jepa_tutorial.planning.episodes import success_rate
    return success_rate(torch.arange(n) < round(p*n))[2] < success_rate(torch.arange(n) < round(q*n))[1]
def compute():
    "How many times more predictor steps the published planner takes than the fast one, in an episode."
    from jepa_tutorial.planning.agent import fast_planner, published_planner
    from jepa_tutorial.tools.bench import dependent_steps
    p, f = published_planner(), fast_planner()
    return p.search.num_samples*dependent_steps(p)/(f.search.num_samples*dependent_steps(f))

def rate(name): return json.loads((root/f'jepa_tutorial/results/final/{name}.json').read_text())['success']
def success_of(k, n):
    "Wilson's interval of k successes in n."
    import torch
    from jepa_tutorial.planning.episodes import success_rate
    return success_rate(torch.arange(n) < k)
def detour(name):
    "By how much the shortest way through the door is longer than the straight line, on average, in pixels."
    import torch
    from jepa_tutorial.tools.tasks import load_tasks
    t = load_tasks(name)
    side, (wall, door) = (t.goal[:, 0] - t.layout.wall_x).sign(), t.layout
    rows = door[:, None] + torch.linspace(-4, 4, 81)                     # [E,81]: where it may pass a face of the wall
    face = lambda s: torch.stack([(wall + s*side*1.5)[:, None].expand_as(rows), rows], -1)
    near, far = face(-1), face(1)
    inside = (near[:, :, None] - far[:, None]).norm(dim=-1)
    way = (t.start[:, None] - near).norm(dim=-1)[:, :, None] + inside + (t.goal[:, None] - far).norm(dim=-1)[:, None]
    return (way.flatten(1).amin(1) - (t.goal - t.start).norm(dim=1)).mean().item()

def explained(name, m, paragraph, chosen, known):
    n, u = value(m['n']), unit(m['u'])
    if u in ('px', 'frames', 'episodes') and n in known: return True
    if n in chosen or (u == '%' and n/100 in chosen): return True
    if (n, u) in published and re.search(published[n, u], paragraph, re.I): return True
    return m[0] in worked.get(name, {}) or (name, m[0]) in supposed

def numbers(name, cells):
    "Every number with a unit, and whether it is explained."
    chosen, known, name = choices(cells), settings(), name.split('/')[-1]
    for i, text in prose(cells):
        for m in measured.finditer(text):
            before, after = text[:m.start()].rpartition('\n\n')[2], text[m.end():].partition('\n\n')[0]
            yield i, m[0], explained(name, m, before + m[0] + after, chosen, known), ' '.join((before[-50:] + m[0] + after[:40]).split())

@pytest.mark.parametrize('name', pages)
def test_typed_numbers_are_explained(name):
    lost = [f'cell {i}: {n} in "{where}"' for i, n, ok, where in numbers(name, pages[name]) if not ok]
    assert not lost, 'let a cell compute it from the results, or say in this test why it may be typed:\n' + '\n'.join(lost)

def test_what_stands_in_the_tables_is_right_and_used():
    said = {(name.split('/')[-1], n) for name in pages for _, n, *_ in numbers(name, pages[name])}
    log = [dict(cell_type='markdown', source=(root/'CHANGELOG.md').read_text(encoding='utf-8'))]
    said |= {('CHANGELOG.md', n) for _, n, *_ in numbers('CHANGELOG.md', log)}
    lost = ({(page, n) for page, ns in worked.items() for n in ns} | supposed) - said
    assert not lost, f'no longer on its page: {sorted(lost)}'
    for page, ns in worked.items():
        for n, how in ns.items():
            got, want = eval(how, globals() | dict(math=math)), value(measured.match(n)['n'])
            assert got is True or got == want, f'{page} says {n}, but {how} is {got}'

# what is computed from the results

reads = re.compile(r"load_results\(|RESULTS\b|\.card\b")
varies = re.compile(r'IN_TEST else|if IN_TEST|perf_counter\(|run_episodes\(|sample_\w+\(')     # by size, clock or a model that is run

def scopes(table): return [table] + [s for child in table.get_children() for s in scopes(child)]

def globals_of(source):
    "The names that a cell takes from the page, and those that it gives to it."
    module, *inner = scopes(symtable.symtable(ast.unparse(parsed(source)), 'cell', 'exec'))
    made = {s.get_name() for s in module.get_symbols() if s.is_assigned() or s.is_imported()}
    used = {s.get_name() for s in module.get_symbols() if s.is_referenced()} | {s.get_name() for t in inner for s in t.get_symbols() if s.is_global()}
    return used - made, made

def needed(cells, k):
    "The cells of code that cell `k` stands on, itself last."
    wanted, found = globals_of(cells[k]['source'])[0], [k]
    for i in range(k - 1, -1, -1):
        if cells[i]['cell_type'] != 'code' or re.search(r'^#\|\s*eval:\s*false', cells[i]['source'], re.M): continue
        used, made = globals_of(cells[i]['source'])
        if made & wanted: found.insert(0, i); wanted = wanted - made | used
    return found

def stored(cell): return '\n'.join(''.join(o['data']['text/markdown']) for o in cell['outputs'] if 'text/markdown' in o.get('data', {}))

def sentences(name):
    "Cell -> the cells it stands on, for the cells that show what results and cards say and nothing else."
    cells = pages[name]
    shown = {k: needed(cells, k) for k, c in enumerate(cells) if c['cell_type'] == 'code' and re.search(r'\d', stored(c))}
    text = lambda ks: '\n'.join(cells[i]['source'] for i in ks)
    return {k: ks for k, ks in shown.items() if reads.search(text(ks)) and not varies.search(text(ks))}

def shows(source, space):
    "Run a cell; the text of its last expression."
    *body, last = parsed(source).body
    if not isinstance(last, ast.Expr): body.append(last)
    exec(compile(ast.Module(body, []), 'cell', 'exec'), space)
    return getattr(eval(compile(ast.Expression(last.value), 'cell', 'eval'), space), 'data', None) if isinstance(last, ast.Expr) else None

def today(name):
    "Cell -> what it shows when it is run now."
    found, space = sentences(name), {'__name__': 'page'}
    with contextlib.chdir((nbs/name).parent), contextlib.redirect_stdout(io.StringIO()):
        return {k: shows(pages[name][k]['source'], space) for k in sorted({i for ks in found.values() for i in ks})}

read_results = 'bench', 'fast'      # of the appendix
result_pages = [n for n in pages if n == 'index' or n.startswith('6_results/') or n in [f'appendix/{r}' for r in read_results]]

@pytest.mark.promise('No measured number of the book is typed: each is computed on its page, or from the files of results and the cards of the models, and what the pages show is what these say today.')
def test_sentences_from_results_are_current(monkeypatch, record_property):
    monkeypatch.setenv('MPLBACKEND', 'agg')
    assert len(result_pages) >= 7 and sum(n.startswith('6_results/') for n in result_pages) >= 5
    checked = 0
    for name in result_pages:
        found = sentences(name)
        if not found: continue
        now = today(name)
        for k in found:
            assert now[k] == stored(pages[name][k]), f'{name}, cell {k} would show something else today: python scripts/execute.py {name.split("/")[-1]}'
            checked += len(measured.findall(now[k]))
        record_property(name, len(found))
    assert checked > 100
    record_property('numbers with a unit', checked)
