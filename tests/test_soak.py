"Training that is killed at any moment, again and again, ends where an undisturbed run ends. SOAK is the number of kills (make soak)."
import os, random, subprocess, sys, time
from pathlib import Path
import pytest

pytestmark = pytest.mark.soak
command = Path(sys.executable).parent/'jepa_train'
overrides = ['optim.epochs=2', 'optim.epoch_steps=20', 'optim.batch=8', 'save_every=5', 'eval.unroll_every=20', 'eval.unroll_clips=4']

def train(out, **kwargs):
    return subprocess.Popen([command, 'quick', *overrides, '--out', out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            env={**os.environ, 'JEPA_DEVICE': 'cpu', 'OMP_NUM_THREADS': '1'}, text=True)

def finish(out):
    "Train to the end; how long that took."
    start = time.perf_counter(); run = train(out); _, err = run.communicate()
    assert run.returncode == 0, err
    return time.perf_counter() - start

def weights(out):
    from safetensors.torch import load_file
    return load_file(out/'model.safetensors')

def test_killed_training_ends_the_same(tmp_path):
    import torch
    kills, moments = int(os.environ.get('SOAK', 5)), random.Random(0)
    whole = finish(tmp_path/'undisturbed')
    expected = weights(tmp_path/'undisturbed')
    for trial in range(max(1, kills//5)):
        out = tmp_path/f'killed_{trial}'
        for _ in range(5):
            run = train(out); time.sleep(moments.uniform(0.3, 1)*whole)
            run.kill(); run.communicate()
            if run.returncode >= 0: break          # it was done before the blow
        finish(out)
        got = weights(out)
        assert got.keys() == expected.keys()
        for k in got: assert torch.equal(got[k], expected[k]), f'trial {trial}: {k} differs'
        assert not list(out.glob('*.tmp*')), f'trial {trial} left half-written files'
