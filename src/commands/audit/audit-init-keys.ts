import { resolve } from 'node:path'
import { fingerprintKeyFile, openAuditKeys, signingKeyFile } from '../../audit/keys/key-files.ts'
import { isThere } from '../../audited-store/store-rights.ts'
import { CommandError, type Io, type JsonOption, print } from '../process/io.ts'
import { inWords } from '../process/with-store.ts'

/** Makes both keys of an audit log in a folder, for all processes that use the store. Keys that are there are never replaced. */
export async function initKeys(io: Io, folder: string, options: JsonOption): Promise<void> {
  const places = { dataDir: resolve(folder) }
  for (const file of [signingKeyFile(places), fingerprintKeyFile(places)]) {
    if (await isThere(file)) throw new CommandError(`${file} is there already: nothing was made`)
  }
  const { signer } = await inWords(() => openAuditKeys(places, { publicKey: null, fingerprintCheck: null }))
  const facts = { folder: places.dataDir, public_key: signer.publicKey }
  const text = `${signer.publicKey}\nproves the log: keep a copy of it in another place; both keys are in ${places.dataDir}, which LIVEGATE_DATA_DIR names`
  print(io, options, facts, text)
}
