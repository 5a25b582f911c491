"""gateway.toml for AWS: an NLB before the gateway, or an ALB in its place."""

from loadpath.export.aws.writing import ALB, NLB, to_aws

__all__ = ["ALB", "NLB", "to_aws"]
