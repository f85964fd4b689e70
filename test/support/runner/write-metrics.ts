import { readFileSync, writeFileSync } from 'node:fs'
import { withMetrics } from '../metrics/page.ts'

const document = 'docs/metrics.md'
writeFileSync(document, withMetrics(readFileSync(document, 'utf8')))
