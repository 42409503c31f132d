# Every fleet asks for a session token at the instance metadata service (IMDSv2).
package main

import rego.v1

deny_imdsv2 contains msg if {
	some address, fleet in input.desired
	startswith(address, "fleet/")
	fleet.metadata.http_endpoint != "disabled"
	fleet.metadata.http_tokens != "required"
	msg := sprintf("%s takes IMDSv1: set metadata.http_tokens to required", [address])
}
