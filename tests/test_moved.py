"A state that was saved on another kind of device is sound: the run says where it was made, and goes on. (Without a GPU: by the size of its random generator's state.)"
import re
from pathlib import Path
import pytest, torch
from jepa_tutorial.tools.config import load_config
from jepa_tutorial.tools.devices import rng
from jepa_tutorial.training import refining, resuming
from jepa_tutorial.training.checkpoints import load_pretrained
from jepa_tutorial.training.learner import Learner, train, train_step
from jepa_tutorial.training.refining import RefineConfig, refine
from jepa_tutorial.training.resuming import generator_state, load_state, save_state
from killing import TINY

package = Path(resuming.__file__).parent.parent

def as_on_a_gpu(state: dict) -> dict:
    "The state as a GPU would have left it: its generator's sixteen bytes, fused optimisers."
    for name in ('optimizer', 'probe_optimizer'):
        for group in state.get(name, {}).get('param_groups', ()): group['fused'] = True
    return state | dict(generator=torch.arange(16, dtype=torch.uint8))

def move(path: Path): torch.save(as_on_a_gpu(torch.load(path)), path)

def test_a_run_from_a_gpu_goes_on_here(tmp_path):
    cfg = load_config('quick', *TINY)
    learner = Learner(cfg, 'cpu'); [train_step(learner) for _ in range(2)]; save_state(learner, tmp_path)
    move(tmp_path/'state.pt')
    def go_on():
        again = Learner(cfg, 'cpu')
        with pytest.warns(UserWarning, match=r'state.pt was saved on a GPU \(CUDA\), and the run goes on on cpu'): load_state(again, tmp_path)
        same = all(torch.equal(p, q) for a, b in zip(learner.modules.values(), again.modules.values()) for p, q in zip(a.parameters(), b.parameters()))
        return same and again.step == 2, train_step(again)['total']
    (same, loss), (_, repeated) = go_on(), go_on()
    assert same and loss.isfinite() and loss == repeated
    with pytest.warns(UserWarning, match='GPU'): assert train(cfg, tmp_path, progress=False, device='cpu').trained.card['steps'] == 16

def test_a_run_from_here_goes_on_on_a_gpu(monkeypatch):
    class Gpu:
        def get_state(self): return torch.arange(16, dtype=torch.uint8)
    here = rng(0).get_state()
    monkeypatch.setattr(resuming, 'rng', lambda seed, device: Gpu())
    with pytest.warns(UserWarning, match='was saved on a CPU, and the run goes on on cuda'): assert len(generator_state(here, 'cuda', 0, Path('state.pt'))) == 16

def test_a_refinement_from_a_gpu_goes_on_here(tmp_path, monkeypatch):
    cfg = RefineConfig(clips=4, frames=5, steps=3, updates=3, batch=2)
    def stop(done, loss):
        if done == 2: raise KeyboardInterrupt
    shipped = load_pretrained('quick', 'cpu')
    with pytest.raises(KeyboardInterrupt): refine(shipped, cfg, True, stop, tmp_path, save_every=1)
    kept = torch.load(tmp_path/refining.STATE)
    kept['origin'][1] *= 1 + 1e-12                          # a sum in another order
    torch.save(as_on_a_gpu(kept), tmp_path/refining.STATE)
    with pytest.warns(UserWarning, match=r'refine.pt was saved on a GPU \(CUDA\)'): assert refine(shipped, cfg, True, folder=tmp_path).card['refined']['updates'] == 3
    kept['origin'][1] *= 1.01
    torch.save(kept, tmp_path/refining.STATE)
    with pytest.raises(ValueError, match='belongs to another model.* move it away'): refine(shipped, cfg, True, folder=tmp_path)

@pytest.mark.parametrize('generator', [torch.zeros(100, dtype=torch.uint8), torch.zeros(5056), torch.zeros(0)])
def test_a_generator_of_no_device_is_refused(tmp_path, generator):
    cfg = load_config('quick', *TINY)
    save_state(learner := Learner(cfg, 'cpu'), tmp_path)
    torch.save(torch.load(tmp_path/'state.pt') | dict(generator=generator), tmp_path/'state.pt')
    with pytest.raises(ValueError, match='state.pt cannot be read .*; move it away to start this run anew'): load_state(learner, tmp_path)

def test_nobody_is_told_to_delete_what_may_be_sound():
    "Only what says that somebody is at work may be deleted, and only if nobody is."
    lines = [line for f in package.rglob('*.py') for line in f.read_text(encoding='utf-8').splitlines() if re.search(r'\bdelete\b', line) and 'tracking' not in f.name]
    assert lines and all('if it is gone' in line or 'if nobody works' in line for line in lines), lines
