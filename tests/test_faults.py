"What happens to work that is killed at any moment."
import os, random, subprocess, sys, time
from pathlib import Path
import pytest

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

@pytest.mark.promise('Training that is killed at any moment goes on from its last saved state, and ends with the same weights, to the bit.', kills=(2, 50))
def test_killed_training_ends_the_same(tmp_path, size):
    import torch
    kills, moments = size['kills'], random.Random(0)
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
