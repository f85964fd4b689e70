import { type Static, Type } from 'typebox'
import { anyLength, Nullable } from './values/schema.ts'

/**
 * Fields of a meeting that a caller may set: every request field of both vendors (contract#meeting-fields,
 * contract#realtimekit-meetings). The list is closed, so that a misspelt field is refused and not lost. What is only passed on has the vendor's own bounds or none: it knows what it accepts.
 */
const closed = { additionalProperties: false }
const text = Type.Optional(Type.String({ maxLength: anyLength }))
const size = (bounds: { maximum?: number } = {}) => Type.Optional(Type.Integer({ minimum: 1, ...bounds }))

const StorageConfig = Type.Object(
  {
    type: Type.Optional(Type.Enum(['aws', 'azure', 'digitalocean', 'gcs', 'sftp'])),
    access_key: text,
    secret: text,
    bucket: text,
    region: text,
    path: text,
    auth_method: Type.Optional(Type.Enum(['KEY', 'PASSWORD'])),
    username: text,
    password: text,
    host: text,
    port: Type.Optional(Type.Number({ description: 'Samples of the provider send 0' })),
    private_key: text
  },
  { ...closed, description: 'Goes to the provider and is never shown again' }
)

const BucketConfig = Type.Object({ enabled: Type.Boolean() }, closed)

const RecordingConfig = Type.Object(
  {
    max_seconds: Type.Optional(Type.Number({ minimum: 60, maximum: 86_400 })),
    file_name_prefix: text,
    video_config: Type.Optional(
      Type.Object(
        {
          codec: Type.Optional(Type.Enum(['H264', 'VP8', 'VP9'])),
          width: size({ maximum: 1920 }),
          height: size({ maximum: 1920 }),
          watermark: Type.Optional(
            Type.Object(
              {
                url: text,
                size: Type.Optional(Type.Object({ width: size(), height: size() }, closed)),
                position: Type.Optional(Type.Enum(['left top', 'right top', 'left bottom', 'right bottom']))
              },
              closed
            )
          ),
          export_file: Type.Optional(Type.Boolean())
        },
        closed
      )
    ),
    audio_config: Type.Optional(
      Type.Object(
        {
          codec: Type.Optional(Type.Enum(['MP3', 'AAC'])),
          channel: Type.Optional(Type.Enum(['mono', 'stereo'])),
          export_file: Type.Optional(Type.Boolean())
        },
        closed
      )
    ),
    storage_config: Type.Optional(Nullable(StorageConfig)),
    dyte_bucket_config: Type.Optional(BucketConfig),
    realtimekit_bucket_config: Type.Optional(BucketConfig),
    live_streaming_config: Type.Optional(Type.Object({ rtmp_url: text }, closed))
  },
  closed
)

const AiConfig = Type.Object(
  {
    transcription: Type.Optional(
      Type.Object(
        {
          keywords: Type.Optional(Type.Array(Type.String({ maxLength: anyLength }), { maxItems: anyLength })),
          language: text,
          profanity_filter: Type.Optional(Type.Boolean())
        },
        closed
      )
    ),
    summarization: Type.Optional(
      Type.Object(
        {
          word_limit: Type.Optional(Type.Integer({ minimum: 150, maximum: 1000 })),
          text_format: Type.Optional(Type.Enum(['plain_text', 'markdown'])),
          summary_type: text
        },
        closed
      )
    )
  },
  closed
)

const fields = {
  title: Type.Optional(Nullable(Type.String({ maxLength: anyLength, examples: ['Friday show'] }))),
  preferred_region: Type.Optional(Nullable(Type.Enum(['ap-south-1', 'ap-southeast-1', 'us-east-1', 'eu-central-1']))),
  live_stream_on_start: Type.Optional(
    Nullable(Type.Boolean({ description: 'Start a livestream when the meeting starts, without another call' }))
  ),
  record_on_start: Type.Optional(Nullable(Type.Boolean())),
  persist_chat: Type.Optional(Type.Boolean()),
  summarize_on_end: Type.Optional(Type.Boolean()),
  transcribe_on_end: Type.Optional(Type.Boolean()),
  session_keep_alive_time_in_secs: Type.Optional(Type.Number({ minimum: 60, maximum: 600 })),
  recording_config: Type.Optional(RecordingConfig),
  ai_config: Type.Optional(AiConfig)
}

/** Body of `POST /meetings`: everything is optional. */
export const NewMeeting = Type.Object(fields, { ...closed, examples: [{ title: 'Friday show' }] })
export type NewMeeting = Static<typeof NewMeeting>

/** Body of `PATCH /meetings/{meeting_id}`: any subset. A meeting is retired with `{"status":"INACTIVE"}`. */
export const MeetingChange = Type.Object(
  { ...fields, status: Type.Optional(Type.Enum(['ACTIVE', 'INACTIVE'])) },
  { ...closed, examples: [{ title: 'Saturday show' }] }
)
export type MeetingChange = Static<typeof MeetingChange>
