<?php
// The sample that many applications copied: an array as POSTFIELDS, which
// becomes multipart/form-data, and two seconds for everything.
list(, , $url, $body, $count) = $argv;
for ($n = 0; $n < $count; $n++) {
    parse_str(str_replace('{n}', $n, $body), $fields);
    $curl = curl_init(str_replace('{n}', $n, $url));
    curl_setopt($curl, CURLOPT_PROXY, 'http://' . getenv('TLSLIFT_PROXY'));
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($curl, CURLOPT_POST, true);
    curl_setopt($curl, CURLOPT_POSTFIELDS, $fields);
    $answer = curl_exec($curl);
    if ($answer === false) {
        fwrite(STDERR, curl_error($curl) . "\n");
        exit(1);
    }
    echo $answer;
    curl_close($curl);
}
