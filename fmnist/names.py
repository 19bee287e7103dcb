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
PREDICT_MS_PER_IMAGE: Final = "predict_ms_per_image"
PARAMETERS_TOTAL: Final = "parameters_total"
PARAMETERS_TRAINABLE: Final = "parameters_trainable"
MODEL_BYTES: Final = "model_bytes"

# Once a fold: on the rows that its network has not seen. Beside them stand the TEST_ names.
FOLD_ACCURACY: Final = "fold_accuracy"
FOLD_LOSS: Final = "fold_loss"
FOLD_MACRO_F1: Final = "fold_macro_f1"
FOLD_ECE: Final = "fold_ece"
FOLD_SECONDS: Final = "fold_seconds"

# Once a cross-validation. "val" are the held-out folds, "test" the test rows; std is the
# population's; low and high bound the mean of the held-out accuracies (95 %).
CV_VAL_ACCURACY_MEAN: Final = "cv_val_accuracy_mean"
CV_VAL_ACCURACY_STD: Final = "cv_val_accuracy_std"
CV_VAL_ACCURACY_LOW: Final = "cv_val_accuracy_low"
CV_VAL_ACCURACY_HIGH: Final = "cv_val_accuracy_high"
CV_VAL_ACCURACY_WORST: Final = "cv_val_accuracy_worst"
CV_TEST_ACCURACY_MEAN: Final = "cv_test_accuracy_mean"
CV_TEST_ACCURACY_STD: Final = "cv_test_accuracy_std"
CV_OOF_ACCURACY: Final = "cv_oof_accuracy"
CV_FOLDS: Final = "cv_folds"
CV_FOLDS_RESUMED: Final = "cv_folds_resumed"
CV_SECONDS: Final = "cv_seconds"

# Parameters of a fold's run.
FOLD: Final = "fold"
REPEAT: Final = "repeat"

# Run tags.
TAG_KIND: Final = "fmnist.kind"
TAG_MODEL: Final = "fmnist.model"
TAG_DATA_DIGEST: Final = "fmnist.data_digest"
TAG_CONFIG_DIGEST: Final = "fmnist.config_digest"
TAG_ALARM: Final = "fmnist.alarm"
TAG_CONTINUED_IN: Final = "fmnist.continued_in"
TAG_PROCESS: Final = "fmnist.process"
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

# Artifacts of `crossval`, and of each of its folds (with TABLE_HISTORY and PREDICTIONS_TEST).
FIGURE_CV_ACCURACY: Final = "figures/cv_accuracy.png"
FIGURE_CV_CONVERGENCE: Final = "figures/cv_convergence.png"
TABLE_FOLDS: Final = "tables/folds.csv"
PREDICTIONS_OUT_OF_FOLD: Final = "predictions/out_of_fold.parquet"
PREDICTIONS_FOLD: Final = "predictions/fold.parquet"
