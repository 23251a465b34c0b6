<?php
// libcurl from PHP: one handle, so that the connection is kept.
list(, $method, $url, $body, $count) = $argv;
$curl = curl_init();
curl_setopt($curl, CURLOPT_PROXY, 'http://' . getenv('TLSLIFT_PROXY'));
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
for ($n = 0; $n < $count; $n++) {
    curl_setopt($curl, CURLOPT_URL, str_replace('{n}', $n, $url));
    if ($method === 'POST') {
        curl_setopt($curl, CURLOPT_POST, true);
        curl_setopt($curl, CURLOPT_POSTFIELDS, str_replace('{n}', $n, $body));
    }
    $answer = curl_exec($curl);
    if ($answer === false) {
        fwrite(STDERR, curl_error($curl) . "\n");
        exit(1);
    }
    echo $answer;
}
