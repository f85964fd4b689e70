import { readFileSync, writeFileSync } from 'node:fs'
import { envExample, withTables } from '../settings.ts'

const document = 'docs/configuration.md'
writeFileSync('.env.example', envExample())
writeFileSync(document, withTables(readFileSync(document, 'utf8')))
