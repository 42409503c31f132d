# Every volume of a fleet is encrypted, and says so: what it leaves out, the account's default decides.
package main

import rego.v1

deny_encrypted contains msg if {
	some address, fleet in input.desired
	startswith(address, "fleet/")
	not is_encrypted(fleet.root_volume)
	msg := sprintf("%s does not say that its root volume is encrypted: set root_volume.encrypted to true", [address])
}

deny_encrypted contains msg if {
	some address, fleet in input.desired
	startswith(address, "fleet/")
	some volume in fleet.volumes
	not is_encrypted(volume)
	msg := sprintf("%s does not say that the volume at %s is encrypted: set encrypted to true", [address, volume.device])
}

is_encrypted(volume) if volume.encrypted == true
