<?php
// file_get_contents with the proxy in its context. Without request_fulluri, as
// here by default, the request line is in origin form; raw spaces go out raw.
list(, $method, $url, $body, $count) = $argv;
for ($n = 0; $n < $count; $n++) {
    $http = array(
        'method' => $method,
        'proxy' => 'tcp://' . getenv('TLSLIFT_PROXY'),
        'request_fulluri' => getenv('TLSLIFT_FULL_URI') === '1',
        'ignore_errors' => true,
    );
    if ($body !== '') {
        $http['header'] = "Content-Type: application/x-www-form-urlencoded\r\n";
        $http['content'] = str_replace('{n}', $n, $body);
    }
    $answer = file_get_contents(str_replace('{n}', $n, $url), false, stream_context_create(array('http' => $http)));
    if ($answer === false) {
        exit(1);
    }
    echo $answer;
}
