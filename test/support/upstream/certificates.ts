import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/**
 * X.509 certificates made at run time, with nothing but node:crypto: `openssl` is not on every machine. As much of DER
 * (X.690) and RFC 5280 as a TLS server of a test needs: version 3, P-256, ECDSA with SHA-256.
 */
export interface Certificate {
  /** PEM. */
  cert: string
  /** PEM of the private key. */
  key: string
}

export interface Wish {
  name: string
  /** Signs it; absent: it signs itself. */
  issuer?: Authority
  /** Uses of the certificate. One with neither is good for nothing but signing. */
  address?: string
  host?: string
  days?: { from: number; to: number }
}

export interface Authority extends Certificate {
  name: string
  privateKey: KeyObject
}

const ecdsaWithSha256 = sequence(Buffer.from('06082a8648ce3d040302', 'hex'))
const commonName = Buffer.from('0603550403', 'hex')
const subjectAltName = Buffer.from('0603551d11', 'hex')
const basicConstraints = Buffer.from('0603551d13', 'hex')
const yes = tlv(0x01, Buffer.from([0xff]))

export function makeCertificate({ name, issuer, address, host, days = { from: -1, to: 1 } }: Wish): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const names = [
    ...(address === undefined ? [] : [tlv(0x87, Buffer.from(address.split('.').map(Number)))]),
    ...(host === undefined ? [] : [tlv(0x82, Buffer.from(host))])
  ]
  const extension =
    names.length > 0
      ? sequence(subjectAltName, tlv(0x04, sequence(...names)))
      : sequence(basicConstraints, yes, tlv(0x04, sequence(yes)))
  const body = sequence(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    distinguished(issuer?.name ?? name),
    sequence(utcTime(days.from), utcTime(days.to)),
    distinguished(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(extension))
  )
  const signature = sign('sha256', body, issuer?.privateKey ?? privateKey)
  const der = sequence(body, ecdsaWithSha256, tlv(0x03, Buffer.concat([Buffer.from([0]), signature])))
  return { name, privateKey, cert: pem(der), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** Tag, length, value. */
function tlv(tag: number, value: Buffer): Buffer {
  const { length } = value
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), value])
}

function sequence(...parts: Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(parts))
}

function distinguished(name: string): Buffer {
  return sequence(tlv(0x31, sequence(commonName, tlv(0x0c, Buffer.from(name)))))
}

/** The time that is so many days from now. */
function utcTime(days: number): Buffer {
  const digits = new Date(Date.now() + days * 86_400_000).toISOString().replaceAll(/\D/g, '')
  return tlv(0x17, Buffer.from(`${digits.slice(2, 14)}Z`))
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
