<?php
// Receives radhook's events with what PHP brings: verifies, takes each event once, answers.
//
//     WEBHOOK_SECRET=whsec_... php -S 127.0.0.1:8080 receiver.php
//
// That server is for trying out; behind a real one the script is the same.

declare(strict_types=1);

const MAX_BODY = 4 * 1024 * 1024; // Bytes; an event has a few thousand, a batch of them more.
const TOLERANCE = 5 * 60; // Seconds that a signature may be old, or ahead of our clock.
const REMEMBERED = 10_000; // Ids. Keep those of as long as radhook tries again: by its default schedule 15 hours.

// Put your program here. Store the event (a row of your database, a message of your queue) and return: after the answer
// it is yours alone, so work on what you have stored. If this throws, radhook sends the event again.
function take(array $event): void
{
}

// A request that is not believed; its code is the status.
class Refused extends Exception
{
}

// The keys' bytes: whsec_ and base64, or the secret as it is.
function keys(): array
{
    $secrets = array_filter(explode(' ', (string) getenv('WEBHOOK_SECRET')), fn ($secret) => $secret !== '');
    $key = fn ($secret) => str_starts_with($secret, 'whsec_') ? base64_decode(substr($secret, 6), true) : $secret;
    return array_map($key, $secrets);
}

// The id of a request that was signed with one of our secrets, not long ago (Standard Webhooks, v1).
function verify(string $body, int $now): string
{
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    $signatures = $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '';
    if ($id === '' || $signatures === '' || !ctype_digit($timestamp)) {
        throw new Refused('a webhook- header is missing or malformed', 400);
    }
    // Several secrets during a rotation, several signatures for the same reason. Compared in constant time.
    $genuine = false;
    foreach (keys() as $key) {
        // Over the bytes as they came: JSON that was parsed and written again has others. No key at all verifies nothing.
        $ours = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", (string) $key, true));
        foreach (explode(' ', $signatures) as $theirs) {
            $genuine = (hash_equals($ours, $theirs) && (string) $key !== '') || $genuine;
        }
    }
    if (!$genuine) {
        throw new Refused('no signature matches', 401);
    }
    if (abs($now - (int) $timestamp) > TOLERANCE) {
        throw new Refused('it was signed too long ago, or a clock is wrong', 401);
    }
    return $id;
}

function body(): string
{
    if ((int) ($_SERVER['CONTENT_LENGTH'] ?? 0) > MAX_BODY) {
        throw new Refused('it is too long', 413);
    }
    $body = (string) stream_get_contents(fopen('php://input', 'r'), MAX_BODY + 1);
    if (strlen($body) > MAX_BODY) {
        throw new Refused('it is too long', 413);
    }
    return $body;
}

// Takes an event unless its id is among the last ones. PHP forgets everything between two requests, so they stand in a
// file; where you have a database, a table with the id as its key is better, in one transaction with the event.
function take_once(string $id, array $event): bool
{
    $file = fopen(getenv('WEBHOOK_IDS') ?: __DIR__ . '/ids', 'c+');
    if ($file === false || !flock($file, LOCK_EX)) {
        throw new RuntimeException('the ids cannot be read');
    }
    try {
        $ids = explode("\n", (string) stream_get_contents($file), -1);
        if (in_array($id, $ids, true)) {
            return false;
        }
        take($event);
        if (count($ids) >= 2 * REMEMBERED) {
            ftruncate($file, 0);
            rewind($file);
            fwrite($file, implode("\n", array_slice($ids, -REMEMBERED)) . "\n");
        }
        fwrite($file, "$id\n");
        return true;
    } finally {
        fclose($file);
    }
}

$line = ['id' => $_SERVER['HTTP_WEBHOOK_ID'] ?? null, 'verdict' => 'refused'];
try {
    if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
        throw new Refused('it is no POST', 405);
    }
    $body = body();
    $id = verify($body, time());
    $event = json_decode($body, true);
    if (!is_array($event)) {
        throw new Refused('the body is no event: ' . json_last_error_msg(), 400);
    }
    $line['type'] = $event['type'] ?? null;
    $new = take_once($id, $event);
    $line['verdict'] = $new ? 'new' : 'repeat';
    http_response_code($new ? 204 : 200);
} catch (Refused $refused) {
    $line['why'] = $refused->getMessage();
    http_response_code($refused->getCode());
} catch (Throwable $error) {
    $line['why'] = 'it could not be taken: ' . $error->getMessage();
    http_response_code(500);
}
file_put_contents('php://stdout', json_encode($line, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES) . "\n");
