"What happens to work that is killed, interrupted, or finds the disk full, and to what runs for long; the experiments are in killing.py."
import json, os, signal, subprocess, sys
from pathlib import Path
import pytest, torch
from jepa_tutorial.tools.config import load_config
from jepa_tutorial.training.learner import Learner, train, train_step
from jepa_tutorial.training.resuming import load_state, save_state
from killing import TINY, contents, differences

pytestmark = pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')

@pytest.fixture(scope='module')
def experiment():
    "Ask the process that experiments."
    env = dict(os.environ, JEPA_DEVICE='cpu', OMP_NUM_THREADS='1')
    with subprocess.Popen([sys.executable, Path(__file__).with_name('killing.py')], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as p:
        def ask(name, /, **args):
            p.stdin.write(json.dumps([name, args]) + '\n'); p.stdin.flush()
            found = json.loads(p.stdout.readline())
            assert 'error' not in found, found['error']
            return found
        yield ask
        p.stdin.close()

@pytest.fixture(autouse=True, scope='module')
def one_thread():
    before = torch.get_num_threads(); torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

def killed(experiment, name, tmp_path, size, record_property):
    found = experiment('kills', name=name, folder=str(tmp_path), **size)
    assert not found['wrong'], '\n'.join(found['wrong'])
    assert found['kills'] == size['kills'] and found['files'] >= 3
    record_property('kills', found['kills']); record_property('kills_while_writing', len(found['writing']))
    return found

@pytest.mark.promise('Training that is killed at any moment, even in the middle of writing a file, goes on from its last saved state and ends with the same weights to the bit and the same metrics, without a gap or a repetition.', kills=(3, 50))
def test_killed_training_ends_the_same(experiment, tmp_path, size, record_property):
    found = killed(experiment, 'train', tmp_path, size, record_property)
    assert size['kills'] < 10 or set(found['writing']) == {'write', 'fsync', 'replace', 'replaced'}

@pytest.mark.promise('`jepa_reproduce` that is killed at any moment and started again writes each row once, with the numbers of an undisturbed run.', kills=(2, 20))
def test_killed_reproduce_ends_the_same(experiment, tmp_path, size, record_property):
    killed(experiment, 'reproduce', tmp_path, size, record_property)

@pytest.mark.promise('A sweep that is killed at any moment and started again has the runs, tables and figures of an undisturbed one.', kills=(1, 20))
def test_killed_sweep_ends_the_same(experiment, tmp_path, size, record_property):
    killed(experiment, 'sweep', tmp_path, size, record_property)
    if size['kills'] >= 10: sweep_in_processes(tmp_path/'processes', tries=3)

def sweep_in_processes(folder, tries):
    "The same with processes: all of them are killed at once, as by a machine that loses power."
    import random, time, yaml
    pytest.importorskip('submitit')
    folder.mkdir(); chance, spec = random.Random(0), folder/'two.yaml'
    spec.write_text(yaml.safe_dump(dict(name='two', base='quick', overrides=[*TINY, 'optim.epochs=6'], grid={'loss.omega': [0, 1]})))
    def begin(out): return subprocess.Popen([Path(sys.executable).parent/'jepa_sweep', spec, '--out', out, '--device', 'cpu', '--parallel', '2'], start_new_session=True,
                                            env=dict(os.environ, OMP_NUM_THREADS='1'), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    def finish(out): _, err = (p := begin(out)).communicate(); assert p.returncode == 0, err; return contents(out)
    expected = finish(folder/'undisturbed')
    for i in range(tries):
        p, out = begin(folder/str(i)), folder/str(i)
        while not (out/'omega0'/'metrics.jsonl').exists(): assert p.poll() is None; time.sleep(.02)
        time.sleep(chance.uniform(0, 1)); os.killpg(p.pid, signal.SIGKILL); p.communicate()
        assert not differences(expected, finish(out))

@pytest.mark.promise('Files of `jepa_plan` are whole or absent, whenever it is killed; started again, it makes them all.', kills=(2, 20))
def test_killed_plan_leaves_whole_files(experiment, tmp_path, size, record_property):
    killed(experiment, 'plan', tmp_path, size, record_property)

@pytest.mark.promise('On a full disk the commands stop with one line that says so, leave no half-written file, and go on as if nothing had happened once there is room.', full_disks=(2, 32))
def test_a_full_disk_costs_nothing(experiment, tmp_path, size, record_property):
    found = experiment('full_disks', names=['plan', 'train', 'reproduce', 'sweep'], folder=str(tmp_path), **size)
    assert not found['wrong'], '\n'.join(found['wrong'])
    record_property('full_disks', found['full_disks'])

@pytest.fixture(params=['below a file', 'read-only'])
def unwritable(request, tmp_path):
    "A folder that can't be made."
    if request.param == 'below a file': (tmp_path/'file').write_text(''); yield tmp_path/'file'/'out'; return
    disk = tmp_path/'disk'; disk.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'ro', 'tmpfs', str(disk)], capture_output=True).returncode: pytest.skip('mounting a file system is not permitted here')
    yield disk/'out'
    subprocess.run(['umount', str(disk)], check=True)

def test_an_unwritable_folder_is_one_line(experiment, unwritable):
    for name, (code, said) in experiment('refusals', folder=str(unwritable)).items():
        lines = [l for l in said.splitlines() if l and l[0] != '{']
        assert code == 1 and len(lines) == 1 and lines[0].startswith(f'jepa_{name}: ') and str(unwritable) in said and 'choose another folder' in said, (name, said)

@pytest.mark.promise('A second training in a folder where one is going on is refused in one line that names the first; one that was killed stands in nobody\'s way.', tries=(1, 5))
def test_two_trainings_in_one_folder(experiment, tmp_path, size):
    import socket
    for i in range(size['tries']):
        here = tmp_path/str(i); here.mkdir()
        found = experiment('two_at_once', folder=str(here))
        code, said = found['second']
        assert code == 1 and said.strip() == f"jepa_train: {here/'busy'/'run'} is in use by process {found['first']} on {socket.gethostname()}; wait for it, or choose another folder"
        assert found['untouched'] and found['third'][0] == 0 and not found['wrong'], found

@pytest.mark.promise('Ctrl-C ends a command with one line at any moment; started again, it ends as if it had not been interrupted.', interrupts=(1, 10))
def test_interrupted_commands(experiment, tmp_path, size, record_property):
    found = experiment('interrupted', names=['train', 'plan'], folder=str(tmp_path), **size)
    assert not found['wrong'], '\n'.join(found['wrong'])
    record_property('interrupts', found['interrupts'])

@pytest.mark.promise('A notebook cell that trains, plans or refines can be interrupted at any moment: the model stays usable, and the cell, run again, ends as if nothing had happened.', interrupts=(2, 12))
def test_interrupted_cells(experiment, tmp_path, size, record_property):
    found = experiment('cells', folder=str(tmp_path), **size)
    assert not found['wrong'], '\n'.join(found['wrong'])
    record_property('interrupts', found['interrupts'])

@pytest.mark.promise('Memory and open files stay level over a long training and over many episodes: from the second to the last quarter, memory grows by no more than 2 %.', steps=(200, 2000), episodes=(12, 100))
def test_memory_stays_level(experiment, tmp_path, size, record_property):
    found = experiment('memory', folder=str(tmp_path), **size)
    for what, grown in found.items():
        record_property(f'growth_in_{what}', round(grown['memory'], 4)); record_property(f'megabytes_in_{what}', grown['megabytes'])
        assert grown['memory'] <= .02 and grown['files'] <= 0, (what, grown)

# quick ones

def test_a_broken_off_step_leaves_no_gradients(tmp_path):
    cfg = load_config('quick', *TINY)
    learner = Learner(cfg, 'cpu'); train_step(learner); save_state(learner, tmp_path)
    expected = train_step(learner)['total'], train_step(learner)['total']
    load_state(learner, tmp_path); learner.backward()                    # and here somebody interrupts
    load_state(learner, tmp_path)
    assert (train_step(learner)['total'], train_step(learner)['total']) == expected

def test_a_run_with_a_projector_can_be_resumed(tmp_path):
    "Its batch norm counts batches, in whole numbers."
    cfg = load_config('quick', *TINY, 'loss.projector=[8,8]')
    whole = Learner(cfg, 'cpu'); train_step(whole); save_state(whole, tmp_path)
    again = Learner(cfg, 'cpu'); load_state(again, tmp_path)
    assert train_step(again)['total'] == train_step(whole)['total']

def test_weights_are_never_without_a_card(tmp_path):
    "Whoever finds weights may load them."
    train(load_config('quick', *TINY), tmp_path/'run', progress=False, device='cpu')
    from jepa_tutorial.training import checkpoints
    trained, replace = checkpoints.load_trained(tmp_path/'run', 'cpu'), os.replace
    def once(a, b): replace(a, b); raise KeyboardInterrupt
    with pytest.MonkeyPatch.context() as m, pytest.raises(KeyboardInterrupt):
        m.setattr(os, 'replace', once); checkpoints.save_trained(tmp_path/'new', trained)
    assert [p.name for p in tmp_path.glob('new*')] == ['new.json']

def stop_at(step):
    def callback(learner):
        if learner.step == step: raise KeyboardInterrupt
    return callback

def test_an_interrupt_clears_the_line_of_a_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('jepa_tutorial.tools.progress.live', lambda: True)
    with pytest.raises(KeyboardInterrupt): train(load_config('quick', *TINY), tmp_path, [stop_at(4)], 'cpu')
    said = capsys.readouterr().out
    assert 'epoch 1 of 2 ' in said and not said.split('\r')[-1] and not said.split('\r')[-2].strip() and '\n' not in said

def test_an_interrupt_closes_the_bar_of_a_notebook(tmp_path, monkeypatch):
    from fastprogress import fastprogress as fp
    shown, bars = [], []
    class Shown:
        def __init__(self, x): shown.append(x)
        def update(self, x): shown.append(x)
    class Bar(fp.NBMasterBar):
        def __init__(self, *args, **kwargs): super().__init__(*args, **kwargs); bars.append(self)
    for name, v in dict(IN_NOTEBOOK=True, master_bar=Bar, progress_bar=fp.NBProgressBar, display=lambda x, **_: Shown(x), HTML=str).items(): monkeypatch.setattr(fp, name, v, raising=False)
    with pytest.raises(KeyboardInterrupt): train(load_config('quick', *TINY), tmp_path, [stop_at(4)], 'cpu')
    assert '3/8' in shown[-4] + shown[-3] + shown[-2] and shown[-1] == '' and not bars[0].main_bar.is_active and not bars[0].child.is_active

def test_an_error_frees_the_interrupt_of_a_hand(monkeypatch):
    "The bar of a hand takes the interrupt over; it must give it back even if the loop fails, while the error is still at hand."
    pytest.importorskip('ipywidgets')
    from jepa_tutorial.tools.widgets import bar
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError) as e:
        for i in bar(range(3)): 1/i
    assert signal.getsignal(signal.SIGINT) is before and e.traceback

def test_an_empty_lock_is_taken_after_a_while(tmp_path):
    "Its holder died between making it and writing its name."
    from jepa_tutorial.tools.runner import locked
    lock = tmp_path/'run.lock'; lock.write_text(''); os.utime(lock, (0, 0))
    with locked(lock): assert int(lock.read_text().split()[0]) == os.getpid()
