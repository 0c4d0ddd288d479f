"""The pages that plan in the reader's browser, in Chromium: their JavaScript against Python, and their controls.

Run by `make browser`, which needs npm for the runtime. Without it: `.venv/bin/python scripts/browser.py` has fetched it before."""
import functools, http.server, importlib.util, json, os, shutil, threading, urllib.request
from dataclasses import asdict, replace
from pathlib import Path
import numpy as np, pytest, torch
from jepa_tutorial.planning.agent import Agent, load_planner
from jepa_tutorial.planning.cem import CEM
from jepa_tutorial.planning.episodes import run_episodes
from jepa_tutorial.tools.tasks import load_tasks
from jepa_tutorial.training.checkpoints import load_pretrained
from jepa_tutorial.world.two_rooms import move, render, sample_free, sample_layouts

pytestmark = pytest.mark.browser
root = Path(__file__).resolve().parent.parent

def script(name):
    spec = importlib.util.spec_from_file_location(name, root/f'scripts/{name}.py')
    module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
    return module
export, preview = script('browser'), script('preview')

class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args): pass

@pytest.fixture(scope='session')
def site(tmp_path_factory):
    "The address of both pages, as HTML without Quarto, beside their scripts, models and runtime."
    out, runtime = tmp_path_factory.mktemp('play'), export.target/'runtime'
    folder = out/'7_play/browser'
    shutil.copytree(export.target, folder, ignore=shutil.ignore_patterns('models', 'runtime'))
    if runtime.is_dir(): shutil.copytree(runtime, folder/'runtime')
    elif shutil.which('npm'): export.install_runtime(folder)
    else: pytest.skip('no npm, and scripts/browser.py has not been run')
    export.export(folder)
    if shutil.which('pandoc'): preview.preview_texts(out)
    (out/'empty.html').write_text('<!doctype html><title>empty</title>')
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=out))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()

@pytest.fixture(scope='session')
def manifest(site):
    return json.load(urllib.request.urlopen(f'{site}/7_play/browser/models/manifest.json'))

@pytest.fixture(scope='session')
def js(site, browser):
    "Runs the body of a function of `x` in a page, with the modules world and search at hand."
    tab = browser.new_page()
    tab.set_default_timeout(0)
    tab.goto(f'{site}/empty.html')
    def run(body, x):
        code = "async x => { const world = await import('/7_play/browser/world.js'), search = await import('/7_play/browser/search.js');" + body + '}'
        return tab.evaluate(code, x)
    yield run
    tab.close()

def plain(x): return x.tolist() if hasattr(x, 'tolist') else x

# the world

def rooms_and_dots(n):
    "Positions all over many rooms, many of them beside a wall, and actions of up to four pixels."
    g = torch.Generator().manual_seed(0)
    layout = sample_layouts(n, generator=g)
    position = sample_free(layout, generator=g)
    beside = torch.stack([layout.wall_x + 4*torch.randn(n, generator=g), layout.door_y + 4*torch.randn(n, generator=g)], 1)
    free = (move(beside, torch.zeros_like(beside), layout) == beside).all(1) & (torch.rand(n, generator=g) < .7)
    return layout, torch.where(free[:, None], beside.clamp(5, 59), position), 2*torch.randn(n, 2, generator=g)

def test_movement_is_pythons(js, manifest):
    layout, position, action = rooms_and_dots(20_000)
    x = dict(rooms=manifest['rooms'], wall=plain(layout.wall_x), door=plain(layout.door_y), position=plain(position), action=plain(action))
    got = np.array(js('return x.position.map((p, i) => world.move(p, x.action[i], {wall_x: x.wall[i], door_y: x.door[i]}, x.rooms))', x))
    want = move(position, action, layout)
    blocked = (want == position).all(1)
    assert .1 < blocked.float().mean() < .9
    np.testing.assert_allclose(got, want, atol=1e-4)

def test_images_are_pythons(js, manifest):
    layout, position, _ = rooms_and_dots(200)
    x = dict(rooms=manifest['rooms'], wall=plain(layout.wall_x), door=plain(layout.door_y), position=plain(position))
    got = np.array(js('return x.position.map((p, i) => Array.from(world.render(p, {wall_x: x.wall[i], door_y: x.door[i]}, x.rooms)))', x))
    want = render(position, layout).flatten(1).numpy().astype(int)
    assert np.abs(got - want).max() <= 1 and (got != want).mean() < 1e-4 and want[:, :65*65].max() > 200

# the search, on the same noise

class Recorded:
    "torch.randn, whose draws are kept."
    def __init__(self): self.kept, self.real = [], torch.randn
    def __call__(self, *args, **kw):
        out = self.real(*args, **kw)
        self.kept.append(out.flatten().tolist())
        return out

def far_from(actions, target):
    "A cost whose value both languages can compute: how far the sum of the actions is from a target, after each step."
    return (actions.cumsum(2) - target).square().sum(-1).sqrt().sum(-1)

COST = """const cost = async (actions, N) => { const T = actions.length/(2*N); return Array.from({length: N}, (_, n) => { let p = [0, 0], sum = 0;
    for (let t = 0; t < T; t++) { const i = 2*(n*T + t); p = [p[0] + actions[i], p[1] + actions[i+1]]; sum += Math.hypot(p[0] - x.target[0], p[1] - x.target[1]) } return sum }) };
    const kept = x.noise.map(v => Float32Array.from(v)); const normal = n => { const v = kept.shift(); if (v.length !== n) throw Error(`${v.length} numbers, not ${n}`); return v };"""

VARIANTS = {'as shipped': [], 'cem': ['planner=cem'], 'no kept elites': ['keep_elites=0'], 'all kept': ['keep_elites=10', 'explore_fraction=0.0'],
            'coloured': ['proposal_correlation=0.6', 'noise_correlation=[0.5,0.9,0.97]', 'num_samples=35'], 'no limit': ['max_norm=null', 'select=best'], 'odd': ['num_samples=25', 'num_elites=3']}

@pytest.mark.parametrize('overrides', VARIANTS.values(), ids=VARIANTS)
def test_the_search_is_pythons(js, monkeypatch, overrides):
    "Every iteration of two plans, the second of which begins with the rest of the first: costs, elites, means, deviations."
    p = cem_planner() if 'planner=cem' in overrides else load_planner('plan_stuck_noise', *overrides)
    target = torch.tensor([20., -9.])
    monkeypatch.setattr(torch, 'randn', noise := Recorded())
    g = torch.Generator().manual_seed(3)
    plans = [p.search.plan(lambda a: far_from(a, target), g, horizon=40, iterations=4, history=True)]
    plans.append(p.search.plan(lambda a: far_from(a, target), g, horizon=38, init=p.search.shift(plans[0], 5), iterations=3, history=True))
    x = dict(s=settings(p), noise=noise.kept, target=plain(target))
    got = js(COST + """const out = []; let last;
        for (const [T, iterations] of [[40, 4], [38, 3]]) {
            const init = last && (x.s.select === 'best' ? last.actions : last.mean).subarray(10), log = [];
            last = await search.plan(x.s, cost, normal, T, {iterations, init, onIteration: step => { log.push({cost: Array.from(step.cost), elites: step.elites, weights: step.weights, mean: Array.from(step.mean), std: Array.from(step.std)}) }});
            out.push({log, actions: Array.from(last.actions)}) }
        return out""", x)
    for plan, mine in zip(plans, got, strict=True):
        for h, step in zip(plan.history, mine['log'], strict=True):
            np.testing.assert_allclose(step['cost'], h['cost'][0], rtol=1e-4)
            elites = torch.tensor(step['elites'])
            np.testing.assert_allclose(h['samples'][0][elites], h['elites'][0], atol=1e-4)
            np.testing.assert_allclose(step['weights'], h['weights'][0], atol=2e-3)
            for k in ('mean', 'std'): np.testing.assert_allclose(step[k], h[k][0].flatten(), atol=2e-3)
        np.testing.assert_allclose(mine['actions'], plan.actions[0].flatten(), atol=2e-3)

def cem_planner():
    "The shipped planner with CEM as its search."
    p = load_planner('plan_stuck_noise')
    return replace(p, search=CEM(**{k: v for k, v in asdict(p.search).items() if k != 'temperature'} | dict(unbiased=True)))

def settings(p):
    "A planner as the manifest writes it."
    return dict(planner=type(p.search).__name__.lower(), **asdict(p.search), **asdict(p.replan), **asdict(p.options))

class Plain(torch.nn.Module):
    "A model whose embedding is a position: its cost is that of `far_from`."
    def encode(self, image): return self.z.expand(len(image), 2)
    def predict(self, z, a): return z + a
    dim = 2

def test_the_agent_is_pythons(js, monkeypatch):
    "Three looks, the last two at the same image: a plan, a warm plan, and random actions because nothing has changed."
    p, model, target = load_planner('plan_stuck_noise'), Plain(), torch.tensor([20., -9.])
    model.z = target[None]
    agent = Agent(model, p.search, p.replan, torch.zeros(1, 2, 4, 4, dtype=torch.uint8), p.options)
    model.z = torch.zeros(1, 2)
    images = [torch.full((1, 2, 4, 4), v, dtype=torch.uint8) for v in (1, 2, 2)]
    monkeypatch.setattr(torch, 'randn', noise := Recorded())
    g = torch.Generator().manual_seed(5)
    want = [agent.act(image, left, g)[0].flatten() for image, left in zip(images, (200, 195, 40))]
    x = dict(s=settings(p), noise=noise.kept, target=plain(target), images=[i.flatten().tolist() for i in images])
    got = js(COST + """const agent = new search.Agent(x.s, normal), out = [];
        for (const [i, left] of [200, 195, 40].entries()) { const {actions, stuck} = await agent.act(Uint8Array.from(x.images[i]), cost, left); out.push([Array.from(actions), stuck]) }
        return out""", x)
    assert [stuck for _, stuck in got] == [False, False, True]
    for w, (mine, _) in zip(want, got, strict=True): np.testing.assert_allclose(mine, w, atol=5e-3)

def test_random_numbers_are_normal(js):
    "Mean, deviation, kurtosis, correlation of neighbours, and another seed is another sequence."
    a, b = (np.array(js('return Array.from(search.gaussian(x)(200000))', seed)) for seed in (1, 2))
    for v in (a, b):
        assert abs(v.mean()) < .01 and abs(v.std() - 1) < .01 and abs((v**4).mean() - 3) < .1 and abs((v[1:]*v[:-1]).mean()) < .01
    assert abs((a*b).mean()) < .01

def test_an_elite_is_drawn_by_its_weight(js):
    "With select: elite, plans of weights .8 and .2 are returned about so often."
    s = settings(load_planner('plan_published')) | dict(num_samples=2, num_elites=2, iterations=1, temperature=1, horizon=1)
    share = js("""let first = 0; const normal = search.gaussian(4);
        for (let i = 0; i < 2000; i++) { const p = await search.plan(x, async () => [0, Math.log(4)], normal, 1); first += p.actions[0] === p.last.actions[0] }
        return first/2000""", s)
    assert .77 < share < .83

def test_settings_that_are_not_known_are_refused(js):
    s = settings(load_planner('plan_revisit'))
    assert 'revisit_weight' in js("try { await search.plan(x, null, null, 5) } catch (e) { return e.message }", s)
