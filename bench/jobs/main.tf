# The job as Terraform is asked to do it: `terraform plan`, `apply`, `destroy`, with the default parallelism.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

variable "endpoint" {
  type = string
}

variable "members" {
  type    = number
  default = 50
}

provider "aws" {
  region     = "us-east-1"
  access_key = "local"
  secret_key = "local"

  # Each of these saves Terraform calls at the start.
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = false
  skip_credentials_validation = true

  endpoints {
    ec2 = var.endpoint
    iam = var.endpoint
    ssm = var.endpoint
    sts = var.endpoint
  }
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

data "aws_subnets" "chosen" {
  filter {
    name   = "default-for-az"
    values = ["true"]
  }
  filter {
    name   = "availability-zone"
    values = ["us-east-1a", "us-east-1b", "us-east-1c"]
  }
}

resource "aws_iam_role" "worker" {
  name = "bench-worker"
  path = "/bench/"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy_attachment" "worker" {
  for_each   = toset(["AmazonS3ReadOnlyAccess", "AmazonSSMManagedInstanceCore"])
  role       = aws_iam_role.worker.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_iam_instance_profile" "worker" {
  name = "bench-worker"
  path = "/bench/"
  role = aws_iam_role.worker.name
}

resource "aws_instance" "worker" {
  count                = var.members
  ami                  = data.aws_ssm_parameter.image.insecure_value
  instance_type        = "t3.large"
  subnet_id            = data.aws_subnets.chosen.ids[count.index % 3]
  iam_instance_profile = aws_iam_instance_profile.worker.name
  tags                 = { Name = "bench-worker", environment = "bench" }

  metadata_options {
    http_tokens = "required"
  }
}
