"""Every name that is written to the tracking server, for writers and readers alike."""

from typing import Final

# Per epoch: step = epoch, counted from 1.
TRAIN_LOSS: Final = "train_loss"
TRAIN_ACCURACY: Final = "train_accuracy"
VAL_LOSS: Final = "val_loss"
VAL_ACCURACY: Final = "val_accuracy"
LEARNING_RATE: Final = "learning_rate"
EPOCH_SECONDS: Final = "epoch_seconds"
IMAGES_PER_SECOND: Final = "images_per_second"

# Once a run.
BEST_EPOCH: Final = "best_epoch"
BEST_VAL_ACCURACY: Final = "best_val_accuracy"
BEST_VAL_LOSS: Final = "best_val_loss"
FINAL_TRAIN_ACCURACY: Final = "final_train_accuracy"
FINAL_VAL_ACCURACY: Final = "final_val_accuracy"
TEST_LOSS: Final = "test_loss"
TEST_ACCURACY: Final = "test_accuracy"
TEST_MACRO_F1: Final = "test_macro_f1"
TEST_ECE: Final = "test_ece"
FIT_SECONDS: Final = "fit_seconds"
FEATURE_SECONDS: Final = "feature_seconds"
PREDICT_MS_PER_IMAGE: Final = "predict_ms_per_image"
PARAMETERS_TOTAL: Final = "parameters_total"
PARAMETERS_TRAINABLE: Final = "parameters_trainable"
MODEL_BYTES: Final = "model_bytes"

# Run tags.
TAG_KIND: Final = "fmnist.kind"
TAG_MODEL: Final = "fmnist.model"
TAG_DATA_DIGEST: Final = "fmnist.data_digest"
TAG_CONFIG_DIGEST: Final = "fmnist.config_digest"
TAG_WEIGHTS: Final = "fmnist.weights"
TAG_WEIGHTS_DIGEST: Final = "fmnist.weights_digest"
TAG_FEATURE_CACHE: Final = "fmnist.feature_cache"
TAG_ERROR: Final = "fmnist.error"
TAG_NOTE: Final = "mlflow.note.content"

# Artifacts of `train`.
FIGURE_ACCURACY: Final = "figures/accuracy.png"
FIGURE_CONVERGENCE: Final = "figures/convergence.png"
FIGURE_CONFUSION: Final = "figures/confusion_matrix.png"
FIGURE_MISTAKES: Final = "figures/mistakes.png"
TABLE_HISTORY: Final = "tables/history.csv"
TABLE_PER_CLASS: Final = "tables/per_class.csv"
PREDICTIONS_TEST: Final = "predictions/test.parquet"
MODEL_SUMMARY: Final = "model_summary.txt"
ERROR_TEXT: Final = "error.txt"
