"""The paper's claims, each computed from results and judged by a criterion."""
