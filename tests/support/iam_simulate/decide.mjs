// Reads a list of simulations as JSON from standard input; prints for each whether it is allowed, and any errors.
import { runSimulation } from '@cloud-copilot/iam-simulate'

let text = ''
for await (const chunk of process.stdin) text += chunk
const results = []
for (const simulation of JSON.parse(text)) {
  const result = await runSimulation(simulation, {})
  results.push({ type: result.resultType, allowed: result.overallResult === 'Allowed', errors: result.errors ?? null,
    ignored: result.result?.ignoredContextKeys ?? [] })
}
console.log(JSON.stringify(results))
