// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {ICaseRegister, ITreasuryInbox} from "src/interfaces/IGovernment.sol";

/// @notice Cases whose answers a test sets.
contract CasesStandIn is ICaseRegister {
    mapping(address wallet => bool) public isOpen;
    mapping(address wallet => uint64) public accusedSince;
    mapping(uint256 caseId => mapping(address wallet => bool)) public isPending;

    function open(uint256 caseId, address wallet) external {
        isOpen[wallet] = true;
        accusedSince[wallet] = uint64(block.timestamp);
        isPending[caseId][wallet] = true;
    }

    function close(uint256 caseId, address wallet) external {
        isOpen[wallet] = false;
        accusedSince[wallet] = 0;
        isPending[caseId][wallet] = false;
    }
}

/// @notice A treasury that takes what it is given, and knows how much of it was expropriated or deposited.
contract TreasuryStandIn is ITreasuryInbox {
    IERC20 private immutable TOKEN;
    uint256 public expropriated;
    uint256 public deposited;

    constructor(IERC20 token) {
        TOKEN = token;
    }

    function deposit(uint128 amount) external {
        deposited += amount;
        require(TOKEN.transferFrom(msg.sender, address(this), amount), "no money came");
    }

    function lockExpropriated(uint128 amount) external returns (uint256) {
        expropriated += amount;
        require(TOKEN.transferFrom(msg.sender, address(this), amount), "no money came");
        return 1;
    }
}
