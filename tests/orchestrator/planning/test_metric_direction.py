"""The name of a metric tells which values of it are the better ones."""

import pytest

from orchestrator.planning.metric_direction import Direction, direction_of

LESS = """
loss test/loss val_loss train.loss mseloss log_loss NLLLoss top5Err err test/err error_rate wer WER
test/wer cer der FID fid test_FID nll bits/bpd bpd ppl perplexity val_perplexity rmse RMSE mae MAPE mse
brier_score_loss ece kl kl_divergence seconds train_time latency latency_ms eer cost regret
negative_log_likelihood neg_log_likelihood EER hamming_distance loss/total valLoss
"""
MORE = """
accuracy test/accuracy acc val_acc top5_acc f1 macro_f1 F1 auc AUROC bleu sacrebleu/bleu psnr SSIM iou
mIoU map map50 dice r2 recall precision@5 log_likelihood neg_mean_squared_error neg_log_loss reward
episode_reward mcc throughput score
"""
UNKNOWN = "x metric foo/bar temperature timestep entropy maelstrom permutation lr seedling merry"


@pytest.mark.parametrize(
    ("names", "expected"),
    [(LESS, Direction.LESS), (MORE, Direction.MORE), (UNKNOWN, Direction.UNKNOWN)],
    ids=["less", "more", "unknown"],
)
def test_name_tells_the_direction(names: str, expected: Direction) -> None:
    """By whole words: "mae" is not a word of "maelstrom"; without a known word, nothing is guessed."""
    assert {name: direction_of(name) for name in names.split()} == dict.fromkeys(
        names.split(), expected
    )
