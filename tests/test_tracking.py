"What TensorBoard and wandb are told is what their own readers find."
import json, os, subprocess, sys
from pathlib import Path
import pytest, yaml
from jepa_tutorial.tools import sweeps, tracking
from jepa_tutorial.tools.config import load_config
from jepa_tutorial.training.learner import train
from jepa_tutorial.training.resuming import read_metrics
from jepa_tutorial.tools.tracking import (
    register_sweep, sweep_settings, Track, track_to, train_tracked, wandb_mode
)

TINY = ['model.channels=[4,4]', 'model.dim=16', 'data.steps=20', 'data.clip=5', 'loss.rollout=4', 'loss.start=first',
        'optim.batch=8', 'optim.epoch_steps=10', 'optim.epochs=2', 'eval.unroll_every=10', 'eval.unroll_clips=4']

def command(name, *args, **env):
    "A command as a shell would run it, with no key and no network of its own."
    script = Path(sys.executable).parent/name
    quiet = {k: v for k, v in os.environ.items() if not k.startswith('WANDB_')}
    return subprocess.run([str(a) for a in (script, *args)], capture_output=True, text=True, env={**quiet, 'OMP_NUM_THREADS': '1', 'NETRC': '/nowhere', **env})

def events(folder):
    "TensorBoard's own reader."
    reader = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator', reason='tensorboard is not installed')
    return reader.EventAccumulator(str(folder/'tensorboard'), size_guidance=dict(scalars=0, images=0, tensors=0)).Reload()

def records(folder):
    "wandb's own reader."
    out = subprocess.run([sys.executable, '-m', 'wandb', 'leet', 'inspect', '--json', str(max(folder.glob('wandb/offline-run-*/run-*.wandb')))], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    return [(r['type'], r[r['type']]) for r in map(json.loads, out.stdout.splitlines())]

@pytest.fixture(scope='module')
def run(tmp_path_factory):
    "A run that both follow, by its command."
    pytest.importorskip('wandb', reason='wandb is not installed'); pytest.importorskip('tensorboard', reason='tensorboard is not installed')
    out = tmp_path_factory.mktemp('run')/'run'
    done = command('jepa_train', 'quick', *TINY, '--out', out, '--device', 'cpu', '--json', '--track', 'wandb,tensorboard')
    assert done.returncode == 0, done.stderr
    return out, done

def test_tensorboard_reads_curves_settings_and_pictures(run):
    out, _ = run
    board, rows = events(out), read_metrics(out)
    for key in ('total', 'variance', 'unroll_8'):
        assert [(e.step, e.value) for e in board.Scalars(key)] == [(r['step'], pytest.approx(r[key], rel=1e-6)) for r in rows]
    assert board.Images('rollout')[0].encoded_image_string[:6] == b'GIF89a' and board.Images('curves')[0].encoded_image_string[1:4] == b'PNG'
    assert b'epoch_steps: 10' in board.Tensors('settings/text_summary')[0].tensor_proto.string_val[0]

def test_wandb_reads_settings_curves_and_a_film(run):
    out, done = run
    found = records(out)
    meta = next(r for kind, r in found if kind == 'run')
    assert meta['config']['update']['optim']['epoch_steps'] == 10 and meta['display_name'] == 'quick'
    curve = {r['item']['_step']: r['item'] for kind, r in found if kind == 'history'}
    for row in read_metrics(out):
        for key in ('total', 'probe', 'unroll_8'): assert curve[row['step']][key] == pytest.approx(row[key])
    media = {f['path'] for kind, r in found if kind == 'files' for f in r['files']}
    film, = [p for p in media if p.endswith('.gif')]
    stored, = out.glob(f'wandb/offline-run-*/files/{film}')
    assert stored.read_bytes() == (out/'unroll.gif').read_bytes() and any(p.endswith('.png') for p in media)
    assert 'wandb: offline, since there is no key' in done.stderr and done.stdout.count('\n') == 1   # the JSON line is alone

def test_a_continued_run_is_told_whole(tmp_path):
    "Stopped at step 13 and started again, a run has every row once, and the same number at wandb."
    pytest.importorskip('wandb'); pytest.importorskip('tensorboard')
    def stop(learner):
        if learner.step == 13: raise InterruptedError
    cfg, os.environ['WANDB_MODE'] = load_config('quick', *TINY, 'save_every=5'), 'offline'
    try:
        with pytest.raises(InterruptedError): train_tracked(cfg, tmp_path, [stop], Track(('wandb', 'tensorboard')), device='cpu', progress=False, log_every=1)
        number = (tmp_path/'wandb-run').read_text()
        assert [r['exit']['exit_code'] for r in [dict([x]) for x in records(tmp_path)] if 'exit' in r] == [1]      # wandb knows that it failed
        train_tracked(cfg, tmp_path, (), Track(('wandb', 'tensorboard')), device='cpu', progress=False, log_every=1)
    finally: del os.environ['WANDB_MODE']
    assert [e.step for e in events(tmp_path).Scalars('total')] == [*range(1, 21)]
    found = records(tmp_path)
    assert [r['item']['_step'] for kind, r in found if kind == 'history' and 'total' in r['item']] == [*range(1, 21)]
    assert next(r for kind, r in found if kind == 'run')['run_id'] == number

def test_seeds_share_a_name_and_a_sweep_its_group(tmp_path):
    pytest.importorskip('wandb'); pytest.importorskip('submitit')
    file, out = tmp_path/'tiny.yaml', tmp_path/'out'
    file.write_text(yaml.safe_dump(dict(name='tiny', base='quick', overrides=TINY, grid={'loss.alpha': [4], 'seed': [1, 2]})))
    (out).mkdir(); (out/'wandb-sweep').write_text('abc123')                     # registered before
    done = command('jepa_sweep', file, '--out', out, '--device', 'cpu', '--parallel', '2', '--track', 'wandb', '--wandb-sweep')
    assert done.returncode == 0, done.stderr
    runs = [next(r for kind, r in records(out/name) if kind == 'run') for name in ('alpha4-s1', 'alpha4-s2')]
    assert [(r['display_name'], r['run_group'], r['sweep_id']) for r in runs] == [('alpha4', 'tiny', 'abc123')]*2
    assert [r['config']['update']['seed'] for r in runs] == [1, 2] and runs[0]['run_id'] != runs[1]['run_id']

# without packages, keys or networks

@pytest.mark.parametrize('package', ['wandb', 'tensorboard'])
def test_a_missing_package_is_one_line(monkeypatch, package):
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard' if package == 'tensorboard' else package, None)
    with pytest.raises(ValueError, match=rf"--track {package} needs a package that isn't here: pip install 'jepa_tutorial\[track\]'"): track_to(package)

def test_a_mistake_is_one_line_and_starts_nothing(tmp_path):
    done = command('jepa_train', 'quick', '--out', tmp_path/'out', '--track', 'wandbb')
    assert done.returncode == 1 and done.stderr.strip().splitlines() == ["jepa_train: no tracker 'wandbb'; did you mean 'wandb'?; there are wandb, tensorboard"]
    assert not (tmp_path/'out').exists()

def test_wandb_sweep_needs_a_server(tmp_path):
    pytest.importorskip('wandb')
    done = command('jepa_sweep', 'example', '--out', tmp_path/'out', '--wandb-sweep')
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
    assert 'jepa_sweep: --wandb-sweep has to ask the server of wandb, but there is no key' in done.stderr
    assert not list(tmp_path.glob('out/*/config.yaml'))

def test_a_server_that_does_not_answer(monkeypatch):
    "A key, and nobody at the other end."
    for name in ('WANDB_MODE', 'WANDB_BASE_URL'): monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('WANDB_API_KEY', 'k'*40); monkeypatch.setenv('WANDB_BASE_URL', 'http://127.0.0.1:9'); monkeypatch.setenv('no_proxy', '127.0.0.1')
    assert wandb_mode() == ('offline', 'http://127.0.0.1:9 does not answer')

def test_a_key_of_wandb_login_is_found(monkeypatch, tmp_path):
    (tmp_path/'netrc').write_text('machine wandb.lab login user password secret\n'); (tmp_path/'netrc').chmod(0o600)
    monkeypatch.delenv('WANDB_API_KEY', raising=False); monkeypatch.setenv('NETRC', str(tmp_path/'netrc'))
    assert tracking._has_key('https://wandb.lab') and not tracking._has_key('https://api.wandb.ai')

def test_a_sweep_is_described_by_its_values():
    assert sweep_settings(sweeps.load_sweep('published')) == dict(name='published', method='grid', metric=dict(name='success', goal='maximize'), parameters=dict(
        loss=dict(parameters=dict(beta=dict(values=[8, 12]), alpha=dict(values=[8, 16]), delta=dict(values=[8, 12, 16]), omega=dict(values=[1, 2]))), seed=dict(values=[1, 1000, 10000])))

def test_a_sweep_is_registered_once(monkeypatch, tmp_path):
    "With a stand-in for the server."
    asked = []
    class Server:
        def sweep(self, settings, project): asked.append((settings, project)); print('a greeting'); return 'n7'
    monkeypatch.setitem(sys.modules, 'wandb', Server()); monkeypatch.setenv('WANDB_MODE', 'online'); monkeypatch.setenv('WANDB_API_KEY', 'k'*40); monkeypatch.setenv('WANDB_PROJECT', 'mine')
    sweep = sweeps.load_sweep('example')
    assert [register_sweep(sweep, tmp_path) for _ in range(2)] == ['n7', 'n7'] and len(asked) == 1 and asked[0] == (sweep_settings(sweep), 'mine')

def test_a_tracker_hears_what_the_file_says(tmp_path):
    heard = []
    train(load_config('quick', *TINY), tmp_path, device='cpu', progress=False, trackers=[heard.append])
    assert heard == read_metrics(tmp_path) and len(heard) == 2
