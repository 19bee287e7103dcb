"""LeNet-5 against transfer learning on Fashion-MNIST, as a tracked MLflow Project."""
