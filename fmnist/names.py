"""Names of metrics, parameters, tags, artifacts and environment variables.

They are grouped by the entry point that writes them. Metrics without a section compare models.
MLflow shows the text before a slash as a section of the charts.
"""

from typing import Final


def column_name(metric: str) -> str:
    """Return the name of a metric without its section, as in tables: `epoch_seconds`."""
    return metric.rpartition("/")[2]


# Metrics of each epoch; the step is the epoch, starting at 1.
TRAIN_LOSS: Final = "train_loss"
TRAIN_ACCURACY: Final = "train_accuracy"
VAL_LOSS: Final = "val_loss"
VAL_ACCURACY: Final = "val_accuracy"
LEARNING_RATE: Final = "optimizer/learning_rate"
EPOCH_SECONDS: Final = "timing/epoch_seconds"
IMAGES_PER_SECOND: Final = "timing/images_per_second"

# Environment variables.
PARENT_RUN: Final = "FMNIST_PARENT_RUN_ID"  # run id of the study that a process belongs to
JOURNAL_DIR: Final = "FMNIST_JOURNAL_DIR"  # records that are not uploaded yet
FLUSH_TIMEOUT: Final = "FMNIST_FLUSH_TIMEOUT"  # seconds that a finished run waits for the server
STUDY_STORAGE: Final = "FMNIST_STUDY_STORAGE"  # of Optuna, for URLs with a password
CHECKPOINT_DIR: Final = "FMNIST_CHECKPOINT_DIR"

# Run tags.
TAG_KIND: Final = "fmnist.kind"
TAG_MODEL: Final = "fmnist.model"
TAG_DATA_DIGEST: Final = "fmnist.data_digest"
TAG_CONFIG_DIGEST: Final = "fmnist.config_digest"
TAG_GROUP: Final = "fmnist.group"  # the configuration without the seed
TAG_WEIGHTS: Final = "fmnist.weights"
TAG_WEIGHTS_DIGEST: Final = "fmnist.weights_digest"
TAG_FEATURE_CACHE: Final = "fmnist.feature_cache"
TAG_ALARM: Final = "fmnist.alarm"
TAG_CONTINUED_IN: Final = "fmnist.continued_in"
TAG_RESUMED_WITH: Final = "fmnist.resumed_with"
TAG_COMPARED: Final = "fmnist.compared"
TAG_PROCESS: Final = "fmnist.process"
TAG_RECORD: Final = "fmnist.record"
TAG_CANDIDATE: Final = "fmnist.candidate"
TAG_TRIAL_STATE: Final = "fmnist.trial_state"
TAG_TEACHER: Final = "fmnist.teacher"
TAG_ABLATION: Final = "fmnist.ablation"
TAG_STUDY: Final = "fmnist.study"
TAG_ERROR: Final = "fmnist.error"
TAG_NOTE: Final = "mlflow.note.content"

MACHINE: Final = "system/"  # prefix of MLflow's system metrics
ERROR_TEXT: Final = "error.txt"  # artifact of failed runs

# Registered models: aliases, and tags of versions.
CHALLENGER: Final = "challenger"
CHAMPION: Final = "champion"
VALIDATION_STATUS: Final = "validation_status"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"
VERSION_PROMOTED_BY: Final = "fmnist.promoted_by"
VERSION_ROLLED_BACK: Final = "fmnist.rolled_back"
VERSION_REJECTED: Final = "fmnist.rejected"  # why

# `train`; `crossval` has the dropped rows, too.
BEST_EPOCH: Final = "best_epoch"
BEST_VAL_ACCURACY: Final = "best_val_accuracy"
TEST_LOSS: Final = "test_loss"
TEST_ACCURACY: Final = "test_accuracy"
TEST_MACRO_F1: Final = "test_macro_f1"
TEST_BALANCED_ACCURACY: Final = "test_balanced_accuracy"
TEST_ECE: Final = "test_ece"
TEST_ACCURACY_FLIP: Final = "tta/test_accuracy"
FIT_SECONDS: Final = "timing/fit_seconds"
FEATURE_SECONDS: Final = "timing/feature_seconds"
FEATURE_COST_SECONDS: Final = "timing/feature_cost_seconds"
PREDICT_MS_PER_IMAGE: Final = "timing/predict_ms_per_image"
PARAMETERS_TOTAL: Final = "size/parameters_total"
PARAMETERS_TRAINABLE: Final = "size/parameters_trainable"
MODEL_BYTES: Final = "size/model_bytes"
DROPPED_ROWS: Final = "data/dropped_rows"
DROPPED_REPEATS: Final = "data/dropped_repeats"
DROPPED_TEST_COPIES: Final = "data/dropped_test_copies"
DROPPED_NEAR_TEST_COPIES: Final = "data/dropped_near_test_copies"
FIGURE_ACCURACY: Final = "figures/accuracy.png"
FIGURE_CONVERGENCE: Final = "figures/convergence.png"
FIGURE_CONFUSION: Final = "figures/confusion_matrix.png"
FIGURE_MISTAKES: Final = "figures/mistakes.png"
TABLE_HISTORY: Final = "tables/history.csv"
TABLE_PER_CLASS: Final = "tables/per_class.csv"
PREDICTIONS_TEST: Final = "predictions/test.parquet"
PREDICTIONS_VALIDATION: Final = "predictions/validation.parquet"
CONSOLE_TEXT: Final = "console.txt"
MODEL_SUMMARY: Final = "model_summary.txt"
MODEL_STATISTICS: Final = "training_images.npz"  # in the directory of the model
IMAGES_MISTAKES: Final = "mistakes"  # key of MLflow's image log; the step is the rank

# `eda`, folds and `crossval`.
PEAK_MEMORY_BYTES: Final = "size/peak_memory_bytes"  # of one process

# Folds: parameters, and metrics on their held-out rows; TEST_… are those on the test set.
FOLD: Final = "fold"
REPEAT: Final = "repeat"
FOLD_ACCURACY: Final = "cv/fold_accuracy"
FOLD_LOSS: Final = "cv/fold_loss"
FOLD_MACRO_F1: Final = "cv/fold_macro_f1"
FOLD_ECE: Final = "cv/fold_ece"
FOLD_SECONDS: Final = "timing/fold_seconds"
PREDICTIONS_FOLD: Final = "predictions/fold.parquet"

# `crossval`: "val" on the held-out rows, "test" on the test set; population standard deviation;
# 95 % confidence interval of the mean.
CV_VAL_ACCURACY_MEAN: Final = "cv_val_accuracy_mean"
CV_VAL_ACCURACY_STD: Final = "cv_val_accuracy_std"
CV_VAL_ACCURACY_LOW: Final = "cv/val_accuracy_low"
CV_VAL_ACCURACY_HIGH: Final = "cv/val_accuracy_high"
CV_VAL_ACCURACY_WORST: Final = "cv/val_accuracy_worst"
CV_TEST_ACCURACY_MEAN: Final = "cv_test_accuracy_mean"
CV_TEST_ACCURACY_STD: Final = "cv_test_accuracy_std"
CV_OOF_ACCURACY: Final = "cv/oof_accuracy"
CV_FOLDS: Final = "cv/folds"
CV_FOLDS_RESUMED: Final = "cv/folds_resumed"
CV_SECONDS: Final = "timing/cv_seconds"
FIGURE_CV_ACCURACY: Final = "figures/cv_accuracy.png"
FIGURE_CV_CONVERGENCE: Final = "figures/cv_convergence.png"
FIGURE_LABEL_ISSUES: Final = "figures/label_issues.png"
TABLE_FOLDS: Final = "tables/folds.csv"
TABLE_LABEL_ISSUES: Final = "tables/label_issues.csv"
PREDICTIONS_OUT_OF_FOLD: Final = "predictions/out_of_fold.parquet"

# `eda`.
TRAIN_ROWS: Final = "eda/train_rows"
TEST_ROWS: Final = "eda/test_rows"
PIXEL_MEAN: Final = "eda/pixel_mean"
PIXEL_STD: Final = "eda/pixel_std"
TEST_PIXEL_MEAN: Final = "eda/test_pixel_mean"
TEST_PIXEL_STD: Final = "eda/test_pixel_std"
MISSING_CLASSES: Final = "eda/missing_classes"
CLASS_IMBALANCE: Final = "eda/class_imbalance"
MISSING_VALUES: Final = "eda/missing_values"
BLANK_IMAGES: Final = "eda/blank_images"
CONSTANT_IMAGES: Final = "eda/constant_images"
CONSTANT_PIXELS: Final = "eda/constant_pixels"
DUPLICATES_TRAIN: Final = "eda/duplicates_train"
DUPLICATES_TEST: Final = "eda/duplicates_test"
DUPLICATES_ACROSS: Final = "eda/duplicates_across"
LABEL_CONFLICTS: Final = "eda/label_conflicts"
NEAR_DUPLICATE_PAIRS: Final = "eda/near_duplicate_pairs"
NEAR_DUPLICATE_TEST_ROWS: Final = "eda/near_duplicate_test_rows"
NEAR_DUPLICATE_TRAIN_ROWS: Final = "eda/near_duplicate_train_rows"
ADJACENT_CORRELATION: Final = "eda/adjacent_pixel_correlation"
PCA_SHARE_2: Final = "eda/pca_share_2"
PCA_COMPONENTS_90: Final = "eda/pca_components_90"
PCA_COMPONENTS_95: Final = "eda/pca_components_95"
PCA_COMPONENTS_99: Final = "eda/pca_components_99"
TSNE_KL: Final = "eda/tsne_kl_divergence"
TSNE_ITERATIONS: Final = "eda/tsne_iterations"
TSNE_TRUSTWORTHINESS: Final = "eda/tsne_trustworthiness"
AGREEMENT_TSNE: Final = "eda/agreement_10nn_tsne"
AGREEMENT_PIXELS: Final = "eda/agreement_10nn_pixels"
AUDIT_SECONDS: Final = "eda/audit_seconds"
DUPLICATES_SECONDS: Final = "eda/duplicates_seconds"
CORRELATION_PCA_SECONDS: Final = "eda/correlation_pca_seconds"
NEAR_DUPLICATES_SECONDS: Final = "eda/near_duplicates_seconds"
TSNE_SECONDS: Final = "eda/tsne_seconds"
QUALITY_SECONDS: Final = "eda/quality_seconds"
FIGURES_SECONDS: Final = "eda/figures_seconds"
EDA_SECONDS: Final = "eda/seconds"
FIGURE_CLASS_BALANCE: Final = "figures/class_balance.png"
FIGURE_SAMPLES: Final = "figures/samples.png"
FIGURE_MEAN_IMAGES: Final = "figures/mean_images.png"
FIGURE_PIXEL_INTENSITY: Final = "figures/pixel_intensity.png"
FIGURE_CORRELATION: Final = "figures/correlation_heatmap.png"
FIGURE_TSNE: Final = "figures/tsne.png"
FIGURE_PCA: Final = "figures/pca.png"
FIGURE_PCA_VARIANCE: Final = "figures/pca_variance.png"
FIGURE_NEAR_DUPLICATES: Final = "figures/near_duplicates.png"
TABLE_AUDIT: Final = "tables/audit.json"
TABLE_EMBEDDING: Final = "tables/embedding.parquet"
TABLE_PIXEL_INTENSITY: Final = "tables/pixel_intensity.csv"
TABLE_CLASS_IMAGES: Final = "tables/class_images.parquet"
TABLE_CORRELATION: Final = "tables/correlation.parquet"
TABLE_CORRELATION_DISTANCE: Final = "tables/correlation_by_distance.csv"
TABLE_PCA_VARIANCE: Final = "tables/pca_variance.csv"
TABLE_NEAR_DUPLICATES: Final = "tables/near_duplicates.csv"

# `compare`, besides FIGURE_CONVERGENCE.
COMPARED_MODELS: Final = "compare/models"
LEFT_OUT: Final = "compare/left_out"
BEST_TEST_ACCURACY: Final = "compare/best_test_accuracy"
COMPARE_SECONDS: Final = "compare/seconds"
COMPARISON_PAGE: Final = "comparison.html"
TABLE_COMPARISON: Final = "tables/comparison.csv"
TABLE_COMPARISON_JSON: Final = "tables/comparison.json"
TABLE_REPLICATES: Final = "tables/replicates.csv"
TABLE_PAIRWISE: Final = "tables/pairwise.csv"
TABLE_PAIRWISE_CROSSVAL: Final = "tables/pairwise_crossval.csv"
FIGURE_TEST_ACCURACY: Final = "figures/test_accuracy.png"
FIGURE_ACCURACY_BY_EPOCH: Final = "figures/accuracy_by_epoch.png"
FIGURE_ACCURACY_VS_COST: Final = "figures/accuracy_vs_cost.png"
FIGURE_CONFUSION_DIFFERENCE: Final = "figures/confusion_difference.png"
FIGURE_DISAGREEMENTS: Final = "figures/disagreements.png"

# Trials: parameter, and metric; the score is the validation accuracy.
TRIAL: Final = "trial"
TRIAL_SCORE: Final = "tune/trial_score"

# `tune`: test accuracy of the winner over seeds, sample standard deviation.
TUNE_TRIALS: Final = "tune/trials"
TUNE_PRUNED: Final = "tune/pruned"
TUNE_BEST_SCORE: Final = "tune/best_score"
TUNE_TEST_ACCURACY_MEAN: Final = "tune/test_accuracy_mean"
TUNE_TEST_ACCURACY_STD: Final = "tune/test_accuracy_std"
TUNE_SECONDS: Final = "tune/seconds"
FIGURE_TUNE_HISTORY: Final = "figures/tune_history.png"
FIGURE_TUNE_IMPORTANCE: Final = "figures/tune_importance.png"
FIGURE_TUNE_PARALLEL: Final = "figures/tune_parallel.png"
FIGURE_TUNE_SLICES: Final = "figures/tune_slices.png"
FIGURE_ABLATION: Final = "figures/ablation.png"
TABLE_TRIALS: Final = "tables/trials.csv"
TABLE_IMPORTANCE: Final = "tables/importance.csv"
TABLE_BEST_OPTIONS: Final = "tables/best_options.json"
TABLE_WINNER: Final = "tables/winner.csv"
TABLE_ABLATION: Final = "tables/ablation.csv"

# `promote`.
PROMOTED: Final = "promote/promoted"
CANDIDATE_VAL_ACCURACY: Final = "promote/candidate_val_accuracy"
CHAMPION_VERSION: Final = "promote/champion_version"
TABLE_GATES: Final = "tables/gates.csv"
MODEL_CARD: Final = "model_card.md"

# `main`.
STUDY_STEPS: Final = "study/steps"
STUDY_STEPS_SKIPPED: Final = "study/steps_skipped"
STUDY_SECONDS: Final = "study/seconds"
REPRODUCTION: Final = "reproduction.json"
TABLE_STEPS: Final = "tables/steps.csv"
