"""The pages that plan in the reader's browser, in Chromium: their JavaScript against Python, and their controls.

Run by `make browser`, which needs npm for the runtime. Without it: `.venv/bin/python scripts/browser.py` has fetched it before."""
import contextlib, functools, http.server, importlib.util, json, os, shutil, threading, urllib.request
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
    layout, position, action = rooms_and_dots(5_000)
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

# the pages

@contextlib.contextmanager
def opened(browser, site, name, **options):
    "A tab with the page, and `asked`: what it has loaded. No script may end in an error, nothing may come from elsewhere."
    with contextlib.closing(browser.new_context(**(dict(viewport=dict(width=1280, height=1000)) | options))) as context:
        tab, errors = context.new_page(), []
        tab.set_default_timeout(1000*int(os.environ.get('PATIENCE', '300')))
        tab.asked = []
        tab.on('request', lambda r: tab.asked.append(r.url)); tab.on('pageerror', lambda e: errors.append(str(e)))
        tab.part = lambda n: tab.locator(f'[data-part="{n}"]')
        tab.goto(f'{site}/7_play/{name}.html')
        yield tab
        assert not errors and not [u for u in tab.asked if not u.startswith((site, 'data:', 'blob:'))]

def needs_pages(site):
    if not shutil.which('pandoc'): pytest.skip('no pandoc')

def is_ready(tab): tab.wait_for_selector('.play.ready')
def idle(tab): tab.wait_for_function("!document.querySelector('.play').classList.contains('busy')")
def says(tab, text): tab.wait_for_function("t => document.querySelector('[data-part=status]').textContent.includes(t)", arg=text)

@pytest.mark.parametrize('name', ['plan', 'drive'])
@pytest.mark.parametrize('width', [1280, 390])
def test_nothing_heavy_is_loaded_before_start(site, browser, name, width):
    "Less than 3 MB, no wider than the screen, every control with a name, handles that keys move."
    needs_pages(site)
    with opened(browser, site, name, viewport=dict(width=width, height=900)) as tab:
        is_ready(tab)
        assert not [u for u in tab.asked if u.endswith(('.wasm', '.onnx', 'worker.js')) or '/runtime/' in u]
        sizes = tab.evaluate("performance.getEntriesByType('resource').map(e => e.decodedBodySize)")
        assert len(sizes) > 5 and sum(sizes) < 3e6
        assert tab.evaluate('document.documentElement.scrollWidth') <= width
        nameless = "[...document.querySelectorAll('.play button, .play select, .play input, .play [role]')].filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML)"
        assert tab.evaluate(nameless) == []
        handle = tab.locator('.handle-start'); handle.focus()
        before = handle.get_attribute('aria-label'); assert 'x 14, y 44' in before
        handle.press('ArrowRight'); handle.press('Shift+ArrowUp')
        assert 'x 15, y 39' in handle.get_attribute('aria-label')
        wall = tab.locator('.handle-wall'); wall.focus(); wall.press('ArrowLeft')
        assert wall.get_attribute('aria-valuenow') == '31'

def centre(locator):
    box = locator.bounding_box()
    return box['x'] + box['width']/2, box['y'] + box['height']/2

def test_fingers_and_mouse_move_handles(site, browser):
    needs_pages(site)
    with opened(browser, site, 'plan', viewport=dict(width=390, height=900), has_touch=True) as tab:
        is_ready(tab)
        goal = tab.locator('.handle-goal'); goal.scroll_into_view_if_needed()
        before = goal.get_attribute('aria-label')
        x, y = centre(goal); touch = tab.context.new_cdp_session(tab)
        for kind, points in (('touchStart', [(x, y)]), ('touchMove', [(x - 20, y - 60)]), ('touchEnd', [])):
            touch.send('Input.dispatchTouchEvent', dict(type=kind, touchPoints=[dict(x=a, y=b) for a, b in points]))
        after = goal.get_attribute('aria-label')
        assert after != before
        door = tab.locator('.handle-door'); x, y = centre(door)
        tab.mouse.move(x, y); tab.mouse.down(); tab.mouse.move(x, y + 500, steps=4); tab.mouse.up()
        assert door.get_attribute('aria-valuenow') == door.get_attribute('aria-valuemax')

def test_the_agent_plans_and_walks(site, browser):
    "Start plans at once; a look moves the dot by five actions; a change of the task begins again; the slider shows an earlier iteration."
    needs_pages(site)
    with opened(browser, site, 'plan') as tab:
        is_ready(tab)
        tab.part('model').select_option('quick'); tab.part('samples').select_option('20'); tab.part('rounds').select_option('4')
        tab.part('start').click(); says(tab, 'Planned in 4 iterations')
        assert tab.part('number').inner_text().startswith('4 of 4')
        picture = lambda: tab.evaluate("document.querySelector('.room canvas').toDataURL()")
        last = picture(); tab.part('iteration').fill('1'); tab.part('iteration').dispatch_event('input')
        assert tab.part('number').inner_text().startswith('1 of 4') and picture() != last
        tab.part('step').click(); says(tab, '5 steps so far'); idle(tab)
        tab.part('step').click(); says(tab, '10 steps so far'); idle(tab)
        assert tab.part('number').inner_text().startswith('2 of 2')
        tab.part('planner').select_option('cem'); says(tab, 'Planned in 4 iterations'); idle(tab)
        assert '0 steps so far' in tab.part('status').inner_text()
        tab.part('walk').click(); tab.wait_for_function("document.querySelector('[data-part=walk]').textContent === 'Pause'"); tab.part('walk').click(); idle(tab)

def test_without_motion_nothing_runs_by_itself(site, browser):
    needs_pages(site)
    with opened(browser, site, 'plan', reduced_motion='reduce') as tab:
        is_ready(tab)
        tab.part('model').select_option('quick'); tab.part('samples').select_option('10'); tab.part('rounds').select_option('2')
        tab.part('start').click(); says(tab, 'The model is here'); idle(tab)
        assert not tab.part('walk').is_visible() and tab.part('number').inner_text() == ''
        tab.part('step').click(); says(tab, '5 steps so far')

@pytest.mark.parametrize('name', ['plan', 'drive'])
def test_an_old_browser_is_told_what_it_lacks(site, browser, name):
    needs_pages(site)
    with contextlib.closing(browser.new_context()) as context:
        tab = context.new_page(); tab.add_init_script('delete globalThis.WebAssembly')
        tab.goto(f'{site}/7_play/{name}.html'); says(tab, 'This browser has no WebAssembly')

def test_the_rollout_follows_keys_buttons_and_fingers(site, browser):
    needs_pages(site)
    count = lambda: int((tab.part('count').inner_text() or '0').split()[0])
    with opened(browser, site, 'drive') as tab:
        is_ready(tab)
        tab.part('model').select_option('quick'); tab.part('start').click(); says(tab, 'Drive.')
        assert tab.part('count').inner_text().startswith('0 actions')
        room = tab.part('world'); room.focus(); tab.keyboard.down('ArrowUp')
        tab.wait_for_function("parseInt(document.querySelector('[data-part=count]').textContent) >= 3"); tab.keyboard.up('ArrowUp'); says(tab, 'actions')
        n = count(); up = tab.locator('[aria-label="up right"]'); up.focus(); up.press('Enter')
        tab.wait_for_function("n => document.querySelector('[data-part=count]').textContent.startsWith(`${n} actions`)", arg=n + 4)
        x, y = centre(room); tab.mouse.move(x - 40, y); tab.mouse.down()
        tab.wait_for_function("n => parseInt(document.querySelector('[data-part=count]').textContent) > n + 5", arg=n); tab.mouse.up(); says(tab, 'actions')
        tab.part('observe').click(); says(tab, 'The frame is encoded')
        off = float(tab.part('count').inner_text().split('is ')[1].split()[0])
        assert off < 2     # what the probe errs by

EPISODES = """async x => {
    const { Client } = await import('/7_play/browser/client.js'), { move, render } = await import('/7_play/browser/world.js'), { limitNorm } = await import('/7_play/browser/search.js');
    const client = new Client(), out = [];
    await client.call('load', { entry: x.entry });
    for (const [i, task] of x.tasks.entries()) {
        let position = task.start, near = false;
        await client.call('begin', { planner: x.planner, seed: i, image: render(task.goal, task.layout, x.rooms) });
        for (let t = 0; t < x.rooms.max_steps && !near;) {
            const { actions } = await client.call('act', { image: render(position, task.layout, x.rooms), left: x.rooms.max_steps - t });
            for (let k = 0; k < actions.length && t < x.rooms.max_steps; k += 2, t++) {
                position = move(position, limitNorm(actions.slice(k, k + 2), x.rooms.max_norm), task.layout, x.rooms);
                near ||= Math.hypot(position[0] - task.goal[0], position[1] - task.goal[1]) < x.rooms.goal_radius;
            }
        }
        out.push(near);
    }
    return out }"""

@pytest.mark.parametrize('name', ['quick_random'])
def test_as_many_tasks_are_solved_as_in_python(site, browser, manifest, name):
    "Twenty validation tasks, by whether the goal was reached: two runs of one planner, with random numbers of their own, differ by chance alone."
    tasks, n = load_tasks('random_wall_validation', 20), 20
    want = int(run_episodes(load_pretrained(name, 'cpu').jepa, tasks, load_planner(export.PLANNER)).reached.sum())
    x = dict(entry=next(m for m in manifest['models'] if m['name'] == name), planner=manifest['planner'], rooms=manifest['rooms'],
             tasks=[dict(start=plain(s), goal=plain(g), layout=dict(wall_x=int(w), door_y=int(d))) for s, g, w, d in zip(tasks.start, tasks.goal, *tasks.layout)])
    tab = browser.new_page(); tab.set_default_timeout(0); tab.goto(f'{site}/empty.html')
    got = sum(tab.evaluate(EPISODES, x)); tab.close()
    p = (want + got)/(2*n)
    print(f'{name}: {got} of {n} in the browser, {want} in Python')
    assert got > 5 and abs(got - want) <= 2*(2*n*p*(1 - p))**.5 + 1
