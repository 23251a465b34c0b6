<?php
list(, $endpoint, $id) = $argv;
$query = http_build_query(array('Type' => 'sendparam', 'Username' => 'user', 'Password' => 'secret', 'numto' => '27820000001', 'data1' => 'hello world', 'customerid' => $id));
$answer = @file_get_contents("$endpoint?$query");
if ($answer === false) {
    $last = error_get_last();
    echo 'failed: ', trim($last['message']), "\n";
} else {
    echo "sent\n";
}
