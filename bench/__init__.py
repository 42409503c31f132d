"""Measures provisioner beside boto3 alone, Terraform and Ansible on the local AWS: `make bench`."""
