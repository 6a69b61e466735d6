"""What a flag that does not exist may mean: by its spelling, and by its sense."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from hdd_tf.config import rows

# Names that other programs use for what these flags say, without `-`, `_` and case. The
# first that a command has is meant.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    # Widely used.
    "backbone": ("network",),
    "batch": ("real_batch",),
    "batchsize": ("real_batch",),
    "bs": ("real_batch",),
    "c": ("curvature",),
    "categories": ("classes",),
    "ckpt": ("checkpoint", "init"),
    "config": ("flagfile",),
    "configfile": ("flagfile",),
    "data": ("dataset",),
    "dataaugmentation": ("dsa",),
    "datadirectory": ("data_dir",),
    "datafolder": ("data_dir",),
    "datapath": ("data_dir",),
    "dataroot": ("data_dir",),
    "datasetname": ("dataset",),
    "datasetpath": ("data_dir",),
    "device": ("strategy",),
    "devices": ("strategy",),
    "directory": ("output_dir", "run_dir"),
    "epoch": ("eval_epochs", "encoder_epochs"),
    "epochs": ("eval_epochs", "encoder_epochs"),
    "exp": ("run_dir",),
    "expname": ("run_dir",),
    "format": ("encoding",),
    "gpu": ("strategy",),
    "gpuid": ("strategy",),
    "gpus": ("strategy",),
    "imagesperclass": ("ipc",),
    "imgsize": ("image_size",),
    "imgsperclass": ("ipc",),
    "imsize": ("image_size",),
    "input": ("set", "run_dir", "dataset"),
    "inputdir": ("set", "run_dir", "data_dir"),
    "inputsize": ("image_size",),
    "k": ("curvature",),
    "learningrate": ("image_lr",),
    "logdir": ("run_dir",),
    "loginterval": ("log_every",),
    "lr": ("image_lr",),
    "maxiter": ("iterations",),
    "maxsteps": ("iterations",),
    "momentum": ("image_momentum",),
    "ngpu": ("strategy",),
    "nruns": ("num_experiments",),
    "numclasses": ("classes",),
    "numepochs": ("eval_epochs", "encoder_epochs"),
    "numgpus": ("strategy",),
    "numiterations": ("iterations",),
    "numiters": ("iterations",),
    "numruns": ("num_experiments",),
    "numseeds": ("num_experiments",),
    "numsteps": ("iterations",),
    "optimizerlr": ("image_lr",),
    "out": ("output_dir", "output", "run_dir"),
    "outdir": ("output_dir", "run_dir"),
    "output": ("output", "output_dir", "run_dir"),
    "outputdir": ("output_dir", "output", "run_dir"),
    "outputfile": ("output", "output_dir"),
    "outputpath": ("output_dir", "output", "run_dir"),
    "picture": ("plot", "picture_every"),
    "png": ("plot",),
    "quiet": ("noprogress",),
    "randomseed": ("seed",),
    "repeats": ("num_experiments",),
    "resolution": ("image_size",),
    "resume": ("run_dir",),
    "resumefrom": ("run_dir",),
    "root": ("data_dir",),
    "runs": ("num_experiments",),
    "savedir": ("output_dir", "run_dir"),
    "savefreq": ("checkpoint_every",),
    "saveinterval": ("checkpoint_every",),
    "seeds": ("num_experiments", "seed"),
    "silent": ("noprogress",),
    "steps": ("iterations",),
    "targetdir": ("output_dir", "run_dir"),
    "trainepochs": ("eval_epochs",),
    "trainiterations": ("iterations",),
    "trainsteps": ("iterations",),
    "valsplit": ("validation_fraction",),
    "verbose": ("progress",),
    "workdir": ("run_dir",),
    "workingdir": ("run_dir",),
    # Of the programs of DC, DSA and DM (Zhao & Bilen), which others go on from.
    "batchreal": ("real_batch",),
    "batchtrain": ("eval_batch",),
    "dismetric": ("objective",),
    "dsastrategy": ("dsa",),
    "epochevaltrain": ("eval_epochs",),
    "evalmode": ("eval_networks",),
    "iteration": ("iterations",),
    "lrimg": ("image_lr",),
    "lrnet": ("eval_lr",),
    "method": ("objective",),
    "model": ("network",),
    "numexp": ("num_experiments",),
    "savepath": ("output_dir", "run_dir"),
    # Of the programs of MTT, IDM, DANCE and their like.
    "batchsyn": ("max_images_per_forward",),
    "bufferpath": ("expert_dir",),
    "ceweight": ("idm_cross_entropy_weight",),
    "evalit": ("eval_every",),
    "expertpath": ("expert_dir",),
    "factor": ("formation_factor",),
    "lrteacher": ("eval_lr",),
    "netdepth": ("depth",),
    "netnorm": ("norm",),
    "netnum": ("idm_pool_size",),
    "netact": ("activation",),
    "netpooling": ("pooling",),
    "netwidth": ("width",),
    "niter": ("iterations",),
    "pixinit": ("init",),
    "preddir": ("expert_dir",),
    "pretraindir": ("expert_dir",),
    "subset": ("classes",),
    "syninit": ("init",),
    # Of hyperbolic programs.
    "curv": ("curvature",),
    "hyperbolic": ("geometry",),
    "lamb": ("loss_weight",),
    "lambda": ("loss_weight",),
    "manifold": ("geometry",),
    "space": ("geometry",),
}


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """Returns the name that an unknown one probably means; None if none is like it.

    Args:
        name: The unknown name, without dashes before it.
        known: Names that there are.
    """
    names = list(known)
    plain = name.lower().replace("-", "").replace("_", "")
    for meant in SYNONYMS.get(plain, ()):
        if meant.removeprefix("no") in names or meant in names:
            return meant
    # The same letters, as --run-dir for --run_dir.
    for each in names:
        if each.replace("_", "") == plain:
            return each
    close = difflib.get_close_matches(name, names, n=1)
    return close[0] if close else None


def _is_setting_elsewhere(name: str, known: Sequence[str]) -> bool:
    """Returns whether a flag is a setting of a run, of which a command has none."""
    meant = {name, name.removeprefix("no")} & set(rows())
    return bool(meant) and meant.isdisjoint(known)


def unknown_flag(name: str, known: Iterable[str]) -> str:
    """Returns one line for a flag that does not exist.

    Args:
        name: The flag, without dashes before it.
        known: Flags that there are.
    """
    names = list(known)
    if _is_setting_elsewhere(name, names):
        return (
            f"--{name} is a flag of distilling and not of this command, whose --help "
            "lists its flags"
        )
    meant = suggestion(name, names)
    hint = f"did you mean --{meant}?" if meant else "--help lists all flags"
    return f"unknown flag --{name}; {hint}"
