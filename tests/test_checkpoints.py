"Faults that a notebook cell can't show: crashes while a checkpoint is written, and files that were damaged afterwards."
import json, os, signal, struct, subprocess, sys, time
from pathlib import Path
import pytest, torch
from jepa_tutorial.tools import files
from jepa_tutorial.training import checkpoints
from jepa_tutorial.tools.config import load_config
from jepa_tutorial.model.encoder import ImpalaEncoder
from jepa_tutorial.model.jepa import build_jepa, JEPA
from jepa_tutorial.model.normalizer import Normalizer
from jepa_tutorial.model.predictor import GRUPredictor
from jepa_tutorial.training.checkpoints import load_pretrained, load_trained, save_trained, Trained
from jepa_tutorial.training.probing import PositionProbe

SMALL = ('model.dim=16', 'model.channels=[2,2,2]')

def make(seed=0, **card):
    torch.manual_seed(seed)
    cfg = load_config('quick', *SMALL)
    return Trained(build_jepa(cfg.model), PositionProbe(cfg.model.dim), dict(config=cfg, steps=seed) | card)

def same(a, b):
    return all(torch.equal(p, q) for x, y in zip(a[:2], b[:2]) for p, q in zip(x.state_dict().values(), y.state_dict().values()))

def one_line(error, *words):
    text = str(error.value)
    assert '\n' not in text and all(w in text for w in words), text

@pytest.fixture
def saved(tmp_path):
    trained = make()
    save_trained(tmp_path/'model', trained)
    return tmp_path, trained

@pytest.mark.parametrize('name', ['', 'model', 'model.safetensors', 'model.json'])
def test_round_trip(saved, name):
    folder, trained = saved
    again = load_trained(folder/name, 'cpu')
    assert same(trained, again) and again.card['steps'] == 0 and not again.jepa.training
    assert again.jepa.normalizer == trained.jepa.normalizer
    assert sorted(p.name for p in folder.iterdir()) == ['model.json', 'model.safetensors']

class Other(torch.nn.Module):
    "An encoder that isn't ours, with a buffer of whole numbers."
    def __init__(self, dim=16):
        super().__init__(); self.dim = dim
        self.net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3*32*32, dim), torch.nn.BatchNorm1d(dim))
    def forward(self, x): return self.net(x.reshape(-1, *x.shape[-3:])).reshape(*x.shape[:-3], self.dim)

def other(encoder):
    "A model with three channels and three action dimensions, and a normaliser of its own."
    normalizer = Normalizer(obs_mean=[.1, .2, .3], obs_std=[1., 2., 3.], position_mean=[1., 2.], position_std=[3., 4.])
    return JEPA(encoder, GRUPredictor(16, action_dim=3), normalizer=normalizer).eval()

CARD = dict(config=dict(model=dict(dim=16, channels=[4, 8], num_layers=1)))

@pytest.mark.parametrize('half', [False, True])
@pytest.mark.parametrize('kind', ['ours', 'theirs'])
def test_other_channels_sizes_and_actions(tmp_path, kind, half):
    torch.manual_seed(0)
    build = lambda: other(ImpalaEncoder(3, 32, (4, 8), 16) if kind == 'ours' else Other())
    made, obs, actions = build(), torch.randint(0, 256, (2, 3, 3, 32, 32), dtype=torch.uint8), torch.randn(2, 4, 3)
    if half: made.load_state_dict({k: v.half().float() if v.is_floating_point() else v for k, v in made.state_dict().items()})
    save_trained(tmp_path/'m', Trained(made, PositionProbe(16), CARD if kind == 'ours' else {}), half)
    got = load_trained(tmp_path/'m', 'cpu', **(dict(jepa=build()) if kind == 'theirs' else {}))
    assert torch.equal(got.jepa.unroll(got.jepa.encode(obs)[:, 0], actions), made.unroll(made.encode(obs)[:, 0], actions))
    assert got.jepa.normalizer == made.normalizer and not got.jepa.training
    save_trained(tmp_path/'again', got, half)                        # and it can be saved again
    assert (tmp_path/'again.safetensors').read_bytes() == (tmp_path/'m.safetensors').read_bytes()

def test_a_model_of_another_kind_has_to_be_built(tmp_path):
    save_trained(tmp_path/'m', Trained(other(Other()), PositionProbe(16), {}))
    with pytest.raises(ValueError) as e: load_trained(tmp_path/'m', 'cpu')
    one_line(e, 'm.json', 'Other, GRUPredictor', 'jepa=')
    with pytest.raises(ValueError) as e: load_trained(tmp_path/'m', 'cpu', jepa=other(ImpalaEncoder(3, 32, (4, 8), 16)))
    one_line(e, 'lacks the tensor')

@pytest.mark.parametrize('part', [dict(norm=torch.nn.LayerNorm(16)), dict(action_encoder=torch.nn.Linear(3, 3))], ids=['norm', 'action_encoder'])
def test_the_part_that_is_of_another_kind_is_named(tmp_path, part):
    "A card names all that a model was made of; one of version 0.2, which names two parts, is still read."
    build = lambda: JEPA(ImpalaEncoder(3, 32, (4, 8), 16), GRUPredictor(16, action_dim=3), **part).eval()
    save_trained(tmp_path/'m', Trained(made := build(), PositionProbe(16), {}))
    with pytest.raises(ValueError) as e: load_trained(tmp_path/'m', 'cpu')
    one_line(e, 'ImpalaEncoder, GRUPredictor, ' + ('LayerNorm' if 'norm' in part else 'Linear'), 'jepa=')
    card = tmp_path/'m.json'; written = json.loads(card.read_text()); written.pop('fingerprint')
    card.write_text(json.dumps(written | dict(made_of=['ImpalaEncoder', 'GRUPredictor'])))
    got = load_trained(tmp_path/'m', 'cpu', jepa=build())
    assert all(torch.equal(a, b) for a, b in zip(got.jepa.state_dict().values(), made.state_dict().values()))

@pytest.mark.parametrize('name', ['quick', 'random_wall'])
def test_the_normalizer_is_that_of_the_card(name):
    "A model is built on `meta`, where its normaliser's buffers hold nothing."
    trained = load_pretrained(name, 'cpu')
    want = Normalizer(**trained.card['normalizer'])
    assert trained.jepa.normalizer == want
    buffers, wanted = dict(trained.jepa.normalizer.named_buffers()), dict(want.named_buffers())
    assert buffers.keys() == wanted.keys() and all(torch.equal(buffers[k], wanted[k]) for k in wanted)
    assert not any('normalizer' in k for k in trained.jepa.state_dict())

def test_dots_in_the_name(tmp_path):
    save_trained(tmp_path/'run.v1', make())
    save_trained(tmp_path/'run.v2.safetensors', make(1))
    assert load_trained(tmp_path/'run.v1', 'cpu').card['steps'] == 0
    assert load_trained(tmp_path/'run.v2', 'cpu').card['steps'] == 1

def test_half(saved):
    folder, trained = saved
    save_trained(folder/'half', trained, half=True)
    for a, b in zip(trained.jepa.parameters(), load_trained(folder/'half', 'cpu').jepa.parameters()):
        assert b.dtype == torch.float32 and torch.equal(a.half().float(), b)

def test_loading_leaves_chance_alone(saved):
    torch.manual_seed(3); a = torch.rand(2)
    torch.manual_seed(3); load_trained(saved[0], 'cpu')
    assert torch.equal(a, torch.rand(2))

def test_never_unpickles(tmp_path, monkeypatch):
    torch.save(dict(a=1), tmp_path/'model.safetensors'); (tmp_path/'model.json').write_text('{"weights": {"sha256": ""}}')
    monkeypatch.setattr(torch, 'load', lambda *a, **k: pytest.fail('torch.load was called'))
    with pytest.raises(ValueError) as e: load_trained(tmp_path)
    one_line(e, 'not a safetensors file')

def test_numbers_that_are_not_finite(tmp_path):
    save_trained(tmp_path/'m', make(loss=float('nan'), seen=torch.tensor(4), where=Path('/x')))
    card = json.loads((tmp_path/'m.json').read_text(), parse_constant=pytest.fail)
    assert card['loss'] is None and card['seen'] == 4 and card['where'] == '/x'

# ── damage ──────────────────────────────────────────────────────────────────────────────────────────────────────

def test_missing(tmp_path, saved):
    with pytest.raises(FileNotFoundError) as e: load_trained(tmp_path/'nothing')
    one_line(e, 'no model', 'nothing.safetensors')
    (tmp_path/'empty').mkdir()
    with pytest.raises(FileNotFoundError) as e: load_trained(tmp_path/'empty')
    one_line(e, 'run folder', 'holds no model')
    (tmp_path/'model.json').unlink()
    with pytest.raises(FileNotFoundError) as e: load_trained(tmp_path)
    one_line(e, 'no card', 'model.json')

def test_cut_short_anywhere(saved):
    weights = saved[0]/'model.safetensors'
    whole = weights.read_bytes()
    header = 8 + struct.unpack('<Q', whole[:8])[0]
    for n in (0, 5, 8, 9, header - 1, header, header + 1, len(whole)//2, len(whole) - 1):
        weights.write_bytes(whole[:n])
        with pytest.raises(ValueError) as e: load_trained(saved[0])
        one_line(e, 'cut short', 'model.safetensors')

@pytest.mark.parametrize('data', [b'\x80\x04\x95 a pickle, not tensors', b'{"json": "but not tensors"}', b'\x09' + bytes(7) + b'{"no": 1}', bytes(4000)])
def test_not_safetensors(saved, data):
    (saved[0]/'model.safetensors').write_bytes(data)
    with pytest.raises(ValueError) as e: load_trained(saved[0])
    one_line(e, 'model.safetensors')

def test_one_flipped_bit(saved):
    weights = saved[0]/'model.safetensors'
    data = bytearray(weights.read_bytes()); data[-10] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ValueError) as e: load_trained(saved[0])
    one_line(e, "don't belong together")

@pytest.mark.parametrize('text', ['', '{', 'no json', '[]', '3', '{}', '{"weights": 1}', '\x00\xff'])
def test_broken_card(saved, text):
    (saved[0]/'model.json').write_bytes(text.encode('latin1'))
    with pytest.raises(ValueError) as e: load_trained(saved[0])
    one_line(e, 'model.json', 'not a card')

def edit(folder, change):
    "Change a card that has no fingerprint of itself, as those of version 0.1."
    card = json.loads((folder/'model.json').read_text()); del card['fingerprint']; change(card); (folder/'model.json').write_text(json.dumps(card))

def test_a_changed_digit_on_the_card(saved):
    card = saved[0]/'model.json'
    card.write_text(card.read_text().replace('"steps": 0', '"steps": 1'))
    with pytest.raises(ValueError) as e: load_trained(saved[0])
    one_line(e, 'model.json', 'was changed')

def test_a_card_without_a_fingerprint_of_itself(saved):
    edit(saved[0], lambda c: c.update(steps=7))
    assert load_trained(saved[0], 'cpu').card['steps'] == 7

@pytest.mark.parametrize('name, value', [('dim', 10**9), ('dim', 1e30), ('channels', [10**6]*3), ('channels', [4]*10**5), ('num_layers', 10**9), ('num_layers', True)])
def test_a_card_that_asks_for_too_much(saved, name, value):
    edit(saved[0], lambda c: c['config']['model'].update({name: value}))
    with pytest.raises(ValueError) as e: load_trained(saved[0], 'cpu')
    one_line(e, 'model.json', name)

@pytest.mark.parametrize('bad, word', [(float('nan'), 'NaN or infinity'), (float('inf'), 'NaN or infinity'), (1e5, None)])
def test_weights_that_are_no_numbers(tmp_path, bad, word):
    trained = make(); trained.probe.net[2].bias.data[0] = bad
    if word:
        with pytest.raises(ValueError) as e: save_trained(tmp_path/'model', trained)
        one_line(e, word)
    else: save_trained(tmp_path/'model', trained)
    with pytest.raises(ValueError) as e: save_trained(tmp_path/'half', trained, half=True)      # 100,000 is beyond float16
    one_line(e, 'NaN or infinity')
    assert not list(tmp_path.glob('half*'))

@pytest.mark.parametrize('change, word', [
    (lambda c: c.pop('config'), 'config.model'), (lambda c: c['config'].pop('model'), 'config.model'),
    (lambda c: c['config']['model'].update(dim='wide'), 'config.model'), (lambda c: c['config']['model'].pop('channels'), 'config.model'),
    (lambda c: c['config']['model'].update(dim=24), 'shape'), (lambda c: c['config']['model'].update(channels=[2, 2, 4]), 'shape'),
    (lambda c: c['config']['model'].update(num_layers=2), 'lacks the tensor')])
def test_card_of_another_model(saved, change, word):
    edit(saved[0], change)
    with pytest.raises(ValueError) as e: load_trained(saved[0])
    one_line(e, word)

def test_too_many_tensors(tmp_path):
    cfg = load_config('quick', *SMALL, 'model.num_layers=2')
    save_trained(tmp_path/'model', Trained(build_jepa(cfg.model), PositionProbe(16), dict(config=cfg)))
    edit(tmp_path, lambda c: c['config']['model'].update(num_layers=1))
    with pytest.raises(ValueError) as e: load_trained(tmp_path)
    one_line(e, 'has no place for')

def test_refuses_to_save_what_could_not_be_loaded(tmp_path):
    trained = make()
    for wrong in (trained._replace(card={}), trained._replace(probe=PositionProbe(16, hidden=8)), trained._replace(card=dict(config=load_config('quick')))):
        with pytest.raises(ValueError) as e: save_trained(tmp_path/'model', wrong)
        one_line(e, '')
    assert not list(tmp_path.iterdir())

def test_no_such_pretrained_model():
    with pytest.raises(ValueError) as e: load_pretrained('no_such_model')
    one_line(e, "no shipped model 'no_such_model'")

# ── crashes ─────────────────────────────────────────────────────────────────────────────────────────────────────

def test_full_disk_leaves_the_old_pair(saved, monkeypatch):
    folder, trained = saved
    def full(fd): raise OSError(28, 'No space left on device')
    monkeypatch.setattr(files.os, 'fsync', full)
    with pytest.raises(OSError): save_trained(folder/'model', make(1))
    assert same(load_trained(folder, 'cpu'), trained)
    assert sorted(p.name for p in folder.iterdir()) == ['model.json', 'model.safetensors']

def test_crash_between_the_two_files_is_noticed(saved, monkeypatch):
    replace, names = os.replace, []
    def once(a, b):
        if names: raise KeyboardInterrupt
        names.append(Path(b).name); replace(a, b)
    monkeypatch.setattr(files.os, 'replace', once)
    with pytest.raises(KeyboardInterrupt): save_trained(saved[0]/'model', make(1))
    monkeypatch.undo()
    with pytest.raises(ValueError) as e: load_trained(saved[0], 'cpu')
    one_line(e, "don't belong together")
    save_trained(saved[0]/'model', make(2))
    assert load_trained(saved[0], 'cpu').card['steps'] == 2

WRITER = """
import itertools, sys, torch
sys.path.insert(0, {tests!r})
from test_checkpoints import make, save_trained
models = [make(0), make(1)]
for i in itertools.count():
    save_trained({path!r}, models[i % 2])
    if i == 1: print('ready', flush=True)
"""

@pytest.mark.skipif(not hasattr(signal, 'SIGKILL'), reason='needs SIGKILL')
def test_killed_at_any_moment(tmp_path):
    models, code = [make(0), make(1)], WRITER.format(tests=str(Path(__file__).parent), path=str(tmp_path/'model'))
    env = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=os.pathsep.join([str(Path(checkpoints.__file__).parents[1]), os.environ.get('PYTHONPATH', '')]))
    for wait in (0., .007):
        with subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, env=env) as p:
            assert p.stdout.readline() == b'ready\n'
            time.sleep(wait); p.kill()
        try: again = load_trained(tmp_path, 'cpu')
        except ValueError as e: assert "don't belong together" in str(e)      # a mixed pair, and it says so
        else: assert same(again, models[again.card['steps']])
