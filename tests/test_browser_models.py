"The models of the pages that plan in a browser: what scripts/browser.py writes is what PyTorch computes."
import importlib.util, json
from pathlib import Path
import numpy as np, pytest, torch
from jepa_tutorial.planning.agent import load_planner
from jepa_tutorial.planning.cost import goal_cost
from jepa_tutorial.tools.tasks import load_tasks
from jepa_tutorial.training.checkpoints import load_pretrained, WEIGHTS
from jepa_tutorial.training.probing import decode
from jepa_tutorial.world.two_rooms import render

root = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location('browser', root/'scripts/browser.py')
browser = importlib.util.module_from_spec(spec); spec.loader.exec_module(browser)
names = [n for n in browser.MODELS if (WEIGHTS/f'{n}.safetensors').is_file()]

@pytest.fixture(scope='module')
def made(tmp_path_factory):
    "The exported files, and the manifest."
    folder = tmp_path_factory.mktemp('browser')
    return folder/'models', browser.export(folder)

def session(path):
    import onnxruntime as ort
    options = ort.SessionOptions(); options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])

@pytest.fixture(scope='module', params=names)
def pair(request, made):
    "A model in PyTorch, and both of its graphs."
    folder, manifest = made
    e = next(m for m in manifest['models'] if m['name'] == request.param)
    return load_pretrained(request.param, 'cpu'), session(folder/e['encoder']), session(folder/e['plans'])

def frames(n):
    t = load_tasks('random_wall_validation', n)
    return torch.cat([render(t.start, t.layout), render(t.goal, t.layout)])

@torch.no_grad()
def test_the_encoder_is_pytorchs(pair):
    trained, encoder, _ = pair
    image = frames(4)
    z, position = encoder.run(None, dict(image=image.numpy()))
    want = trained.jepa.encode(image)
    np.testing.assert_allclose(z, want, atol=1e-3)
    np.testing.assert_allclose(position, decode(trained.jepa, trained.probe, want), atol=1e-2)   # pixels

@pytest.mark.parametrize('distance', ['euclidean', 'squared'])
@pytest.mark.parametrize('reduce', ['sum', 'last'])
@torch.no_grad()
def test_the_plans_are_pytorchs(pair, distance, reduce):
    "Costs in thousandths of their size, last embeddings, and the decoded positions of some steps."
    trained, _, plans = pair
    z0, goal = trained.jepa.encode(frames(1)).split(1)
    actions = torch.randn(1, 7, 60, 2, generator=torch.Generator().manual_seed(0))
    shown, counts = np.array([0, 30, 59]), np.ones(60, np.float32) if reduce == 'sum' else np.eye(60, dtype=np.float32)[-1]
    feeds = dict(z0=z0.numpy(), goal=goal.numpy(), actions=actions[0].numpy(), counts=counts, squared=np.array(distance == 'squared'), shown=shown)
    cost, z, position = plans.run(None, feeds)
    path = trained.jepa.unroll(z0.repeat(7, 1), actions[0])
    np.testing.assert_allclose(cost, goal_cost(trained.jepa, z0, goal, actions, reduce, distance)[0], rtol=1e-4)
    np.testing.assert_allclose(z, path[:, -1], atol=1e-3)
    np.testing.assert_allclose(position, decode(trained.jepa, trained.probe, path[:, shown]), atol=1e-2)
    none = plans.run(None, feeds | dict(shown=shown[:0]))
    assert none[2].shape == (7, 0, 2) and np.array_equal(none[0], cost)

def test_the_manifest_says_what_the_files_say(made):
    folder, manifest = made
    assert manifest == json.loads((folder/'manifest.json').read_text())
    assert [m['name'] for m in manifest['models']] == names and 4 <= len(names) <= 5
    p = load_planner(browser.PLANNER)
    for part in (p.search, p.replan, p.options):
        for k, v in vars(part).items(): assert manifest['planner'][k] == v, k
    said = {m['name']: m['text'] for m in manifest['models']}
    assert 'without the inverse dynamics loss, in rooms with random walls' in said['random_wall_no_inverse_dynamics']
    assert 'with all losses, in one room' in said['quick'] and '256' in said['quick'] and '512' in said['random_wall']
    assert [m['name'] for m in manifest['models'] if m['fixed']] == ['quick']
    assert sum(m['bytes'] for m in manifest['models']) == sum(f.stat().st_size for f in folder.glob('*.onnx')) < 18e6

def test_weights_that_need_all_their_digits_keep_them():
    "16-bit floats are used where they lose nothing, and only there."
    exact, not_exact = torch.tensor([.5, 1.]), torch.tensor([.1, 1.])
    m = browser.model_of('g (float[2] x) => (float[2] y)', ['s = Add(x, a)', 'y = Add(s, b)'], dict(a=exact, b=not_exact), {})
    assert {i.name: i.data_type for i in m.graph.initializer} == dict(a_half=10, b=1)

def test_no_file_names_a_host_of_packages():
    "The lock file holds versions and digests; where packages come from is the reader's npm's business."
    lock = json.loads((root/'scripts/package-lock.json').read_text())
    asked = json.loads((root/'scripts/package.json').read_text())['dependencies']
    assert lock['packages']['']['dependencies'] == asked and lock['packages']['node_modules/onnxruntime-web']['version'] == asked['onnxruntime-web']
    assert not [n for n, p in lock['packages'].items() if n and ('resolved' in p or not p['integrity'].startswith('sha512-'))]
