"""The class of a failure follows from what the program left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runner.failure_classes import FailureKind, Traces, classify

TRACEBACK = (
    "Traceback (most recent call last):\n  File 'train.py', line 3, in <module>\n    {}\n{}\n"
)


HYDRA = "Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.\n"


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        ("", "error", "exit code 1, and no output"),
        ("epoch 1\nbad argument\n\n", "error", "bad argument"),
        (TRACEBACK.format("f()", "ValueError: lr"), "error", "ValueError: lr"),
        (
            TRACEBACK.format("f()", "RuntimeError: sizes differ\nexpected 3, got 4"),
            "error",
            "RuntimeError: sizes differ",
        ),
        (
            TRACEBACK.format("f()", "torch.OutOfMemoryError: CUDA out of memory. Tried 2 GiB"),
            "out-of-memory",
            "torch.OutOfMemoryError: CUDA out of memory. Tried 2 GiB",
        ),
        (TRACEBACK.format("f()", "MemoryError"), "out-of-memory", "MemoryError"),
        *(
            (
                f"Error in call to target 'm.f':\n{error}\nfull_key: model\n\n{HYDRA}",
                kind,
                f"Error in call to target 'm.f': {error}",
            )
            for error, kind in (
                (
                    "OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB')",
                    "out-of-memory",
                ),
                ("MemoryError()", "out-of-memory"),
                ("OSError(28, 'No space left on device')", "disk-full"),
                ("ValueError('width')", "error"),
            )
        ),
        (
            TRACEBACK.format("f()", "OSError: [Errno 28] No space left on device: 'a.pt'"),
            "disk-full",
            "OSError: [Errno 28] No space left on device: 'a.pt'",
        ),
        ("diverged: the loss is nan\n", "diverged", "the loss is nan"),
        ("disk-full: results: no room\n", "disk-full", "results: no room"),
        ("timeout: of the license server\n", "timeout", "of the license server"),
        (TRACEBACK.format("f()", "FloatingPointError: nan"), "diverged", "FloatingPointError: nan"),
        ("  50%|#####     |\r 100%|##########|\nKeyError: 'x'\n", "error", "KeyError: 'x'"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07\n", "error", "red"),
        ("x" * 10_000, "error", "x" * 500),
    ],
)
def test_last_words_tell_the_class_and_the_message(words: str, kind: str, message: str) -> None:
    """The message is the line that a person would look for."""
    failure = classify(1, Traces(words))
    assert (failure.kind, failure.message) == (kind, message)


@pytest.mark.parametrize(
    ("exit_code", "output_tail", "is_trainer", "message"),
    [
        (2, "lr: -1 is too small. Correct it.\n", True, "lr: -1 is too small. Correct it."),
        (2, "lr: -1 is too small.\n", False, "exit code 2: lr: -1 is too small."),
        (2, "", True, "exit code 2, and no output"),
        (3, "told\n", True, "exit code 3: told"),
    ],
)
def test_exit_code_of_the_trainers_own_errors_is_not_told(
    exit_code: int, output_tail: str, message: str, *, is_trainer: bool
) -> None:
    """It says only that the configuration is wrong; those of other programs may mean anything."""
    failure = classify(exit_code, Traces(output_tail, is_trainer=is_trainer))
    assert (failure.kind, failure.message) == ("error", message)


@pytest.mark.parametrize(
    "error",
    [
        "ValueError: The loss returned in `training_step` is nan.",
        "ValueError: The loss returned in `training_step` is inf.",
        "ValueError: The loss returned in `training_step` is -inf.",
        "lightning.fabric.utilities.exceptions.MisconfigurationException: loss is NaN",
        (
            "ValueError: Detected nan and/or inf values in `layer.weight`. Check your forward pass for"
            " numerically unstable operations."
        ),
        "RuntimeError: Function 'MulBackward0' returned nan values in its 0th output.",
        (
            "RuntimeError: The total norm of order 2.0 for gradients from `parameters` is non-finite, so"
            " it cannot be clipped. To disable this error"
        ),
        "RuntimeError: probability tensor contains either `inf`, `nan` or element < 0",
        (
            "ValueError: Expected parameter loc (Tensor of shape (1,)) of distribution Normal(loc: nan)"
            " to satisfy the constraint Real(), but found invalid values:\ntensor([nan])"
        ),
        "FloatingPointError: Minimum loss scale reached (0.0001). Your loss is probably exploding.",
        "Exception: Current loss scale already at minimum - cannot decrease scale anymore.",
        "AssertionError: Rank 0: found NaN in local grad norm for bucket #0 in backward pass",
        "ValueError: found nan in actions. Originated from the RL model",
        "RuntimeError: NaN loss encountered at step 3",
        "RuntimeError: Loss became infinite or NaN at iteration=7!",
        "RuntimeError: non-finite gradients in layer 3",
        "RuntimeError: train_loss=nan",
        "AssertionError: losses are not finite",
        "RuntimeError: training diverged at step 12",
        "RuntimeError: the model has diverged",
    ],
)
def test_sentence_of_a_library_for_a_diverged_training_is_known(error: str) -> None:
    """Those of PyTorch, Lightning, fairseq, DeepSpeed, Megatron, and what people write themselves."""
    assert classify(1, Traces(TRACEBACK.format("f()", error))).kind == "diverged"
    printed = error.partition(": ")[2].replace("\n", " ")
    assert classify(1, Traces(f"epoch 3\n{printed}\n")).kind == "diverged"
    earlier = TRACEBACK.format("f()", error) + "tried again\n" * 30
    assert classify(1, Traces(earlier + TRACEBACK.format("g()", "KeyError: 1"))).kind == "error"


@pytest.mark.parametrize(
    "words",
    [
        "Loss is nan, stopping training\n",
        "Loss is nan, stopping training\n{'loss_ce': tensor(nan, device='cuda:0')}\n",
        "{'loss_classifier': tensor(inf), 'loss_box_reg': tensor(0.1)}\n",
    ],
)
def test_printed_loss_that_is_not_finite_is_divergence(words: str) -> None:
    """As torchvision's reference scripts end, with exit code 1."""
    assert classify(1, Traces(f"Epoch: [0]\n{words}")).kind == "diverged"


@pytest.mark.parametrize(
    "error",
    [
        "ValueError: loss is inferred from the outputs, but there are none",
        "ValueError: the loss was nanmean, choose another",
        "ValueError: Input contains NaN.",
        "ValueError: cannot convert float NaN to integer",
        "fatal: your branch and 'origin/main' have diverged",
        "ValueError: the loss function is not known: nan_mse",
        "KeyError: 'info loss'",
        "ValueError: lr must be finite",
        "ValueError: Found input variables with inconsistent numbers of samples",
        "AssertionError: No inf checks were recorded for this optimizer.",
        "ImportError: found information about no package",
    ],
)
def test_error_about_something_else_is_no_divergence(error: str) -> None:
    """Some words occur in other sentences too."""
    assert classify(1, Traces(TRACEBACK.format("f()", error))).kind == "error"


@pytest.mark.parametrize(
    ("code", "words", "kind", "message"),
    [
        (
            127,
            "failed to run command 'x': No such file",
            "error",
            "exit code 127: timeout: failed to",
        ),
        (125, "invalid time interval 'x'", "error", "exit code 125: timeout: invalid time"),
        (139, "the monitored command dumped core", "killed", "by SIGSEGV"),
        (1, "of the license server", "timeout", "of the license server"),
    ],
)
def test_error_of_the_command_timeout_is_not_a_limit(
    code: int, words: str, kind: str, message: str
) -> None:
    failure = classify(code, Traces(f"timeout: {words}\n"))
    assert failure.kind == kind
    assert failure.message.startswith(message)


@pytest.mark.parametrize(
    ("code", "message"),
    [(-9, "by SIGKILL"), (-11, "by SIGSEGV"), (137, "by SIGKILL"), (139, "by SIGSEGV")],
)
def test_signal_is_named_also_by_a_shell(code: int, message: str) -> None:
    """128 and the number is how a shell says it."""
    failure = classify(code, Traces("epoch 3\n"))
    assert (failure.kind, failure.message) == ("killed", message)


def test_kernel_that_kills_for_memory_is_told_from_somebody_who_kills() -> None:
    """Only SIGKILL is what the kernel uses."""
    assert classify(-9, Traces(memory_ran_out=True)).kind == "out-of-memory"
    assert classify(-11, Traces(memory_ran_out=True)).kind == "killed"


def test_kill_for_memory_that_slurm_tells_is_one() -> None:
    """Also of a step on another machine, where the kernel's count cannot be seen."""
    told = "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0."
    failure = classify(137, Traces(f"{told}\nsrun: error: node1: task 0: Out Of Memory\n"))
    assert failure.kind == "out-of-memory"
    assert classify(-15, Traces(f"{told}\n")).kind == "killed"


def test_checkpoint_that_a_full_disk_cuts_is_disk_full() -> None:
    """PyTorch ends with an error about the archive, raised while it handles the first one."""
    error = "RuntimeError: [enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"
    assert classify(1, Traces(TRACEBACK.format("f()", error))).kind == "disk-full"


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (1, "dd: error writing '/x': No space left on device\n0+1 records in\n0 bytes copied, 1 s\n", "disk-full"),
        (2, "tar: x: Cannot write: No space left on device\ntar: Error is not recoverable: exiting now\n", "disk-full"),
        (1, "Error: stepping, database or disk is full (13)\n", "disk-full"),
        (1, "Error: no checkpoint\nCaused by:\n    No space left on device (os error 28)\n", "disk-full"),
        (1, TRACEBACK.format("f()", "ResourceExhaustedError: OOM when allocating tensor with shape[9]"), "out-of-memory"),
        (1, TRACEBACK.format("f()", "DistBackendError: NCCL error\nLast error:\nCuda failure 2 'out of memory'"), "out-of-memory"),
        (-6, "memory allocation of 8589934592 bytes failed\n", "out-of-memory"),
        (-6, "Unhandled exception. System.OutOfMemoryException: told\n   at Main()\n", "out-of-memory"),
        (1, "lost\nerror: compilation failed\n", "error"),
    ],
)  # fmt: skip
def test_lack_that_a_tool_or_another_language_tells_is_one(
    code: int, words: str, kind: str
) -> None:
    assert classify(code, Traces(words)).kind == kind


def test_vector_that_r_cannot_allocate_is_a_lack_of_memory() -> None:
    said = "Error: cannot allocate vector of size 7.5 Gb\nExecution halted\n"
    assert classify(1, Traces(said)).kind == "out-of-memory"


@pytest.mark.parametrize("loss", ["NaN", "Infinity", "-Infinity", float("nan"), "inf"])
def test_loss_that_is_no_number_is_divergence(loss: float | str) -> None:
    """For programs that only crash because of it."""
    traces = Traces("ValueError: bad input\n", {"train/loss": loss, "accuracy": 0.1})
    assert classify(1, traces).kind == "diverged"
    assert (
        classify(1, Traces("ValueError: bad\n", {"accuracy": loss, "loss": "low"})).kind == "error"
    )


@given(words=st.text(), code=st.integers(-31, 255).filter(bool))
def test_any_output_gives_a_class_and_one_printable_line(words: str, code: int) -> None:
    """No program can put into a record what harms its reader."""
    failure = classify(code, Traces(words))
    assert failure.kind in FailureKind
    assert failure.message.isprintable()


@pytest.mark.parametrize("number", range(1, 65))
def test_any_signal_is_named(number: int) -> None:
    """Most real-time signals have no name."""
    failure = classify(-number, Traces())
    assert failure.kind == "killed"
    assert failure.message.startswith(("by SIG", f"by signal {number}"))


@pytest.mark.parametrize(
    ("number", "kind"), [(12, "out-of-memory"), (28, "disk-full"), (122, "disk-full"), (5, "error")]
)
def test_system_error_is_classified_by_its_number_in_any_language(number: int, kind: str) -> None:
    header = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n'
    words = f"{header}OSError: [Errno {number}] Kein Platz\n"
    assert classify(1, Traces(words)).kind == kind
