"""The paper's claims, each as a computation on results with a criterion fixed beforehand."""
