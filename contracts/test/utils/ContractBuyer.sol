// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice An account whose signatures are those of one key (EIP-1271), as a multisignature wallet would answer.
contract ContractBuyer is IERC1271 {
    address private immutable SIGNER;
    IERC20 private immutable TOKEN;

    constructor(address signer, IERC20 token) {
        SIGNER = signer;
        TOKEN = token;
    }

    function approve(address spender, uint256 amount) external {
        TOKEN.approve(spender, amount);
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bool valid = ECDSA.recover(digest, signature) == SIGNER;
        return valid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
