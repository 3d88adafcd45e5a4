// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Amounts
/// @notice Every division of money (docs/protocol.md section 6). The rounding stands in the name.
library Amounts {
    /// @notice CU in one PU: prices are per PU, claims are in CU.
    uint256 internal constant CU_PER_PU = 1_000_000_000;

    /// @notice What a deal costs: min(cap, CU x price / 10^9), rounded once (R2).
    function paymentDown(uint128 cap, uint64 cuTotal, uint128 pricePerPu) internal pure returns (uint128) {
        // 64 + 128 bits: the product cannot leave 256.
        uint256 bill = uint256(cuTotal) * pricePerPu / CU_PER_PU;
        // forge-lint: disable-next-line(unsafe-typecast)
        return bill < cap ? uint128(bill) : cap; // below a uint128
    }

    /// @notice The author's share of a payment.
    function royaltyDown(uint128 payment, uint16 perMille) internal pure returns (uint128) {
        // At most the payment, because terms above 1000 per mille are refused.
        return uint128(uint256(payment) * perMille / 1000);
    }

    /// @notice What a payout locks: down, so that a miner never gets less (HW-09, X-06).
    function lockDown(uint128 gross, uint8 percent) internal pure returns (uint128) {
        // Less than the gross, because a factory refuses a lock of 100 per cent.
        return uint128(uint256(gross) * percent / 100);
    }

    /// @notice The gross that leaves at least `net` after its lock (X-06).
    function grossUp(uint128 net, uint8 percent) internal pure returns (uint128) {
        return SafeCast.toUint128(Math.ceilDiv(uint256(net) * 100, 100 - percent));
    }

    /// @notice What of a lost guarantee compensates the buyer: no more than a payout of the same gross would pay out, so
    /// that a hub cannot pay itself this way (HW-18). The rest is the treasury's.
    function compensationDown(uint128 guarantee, uint8 percent) internal pure returns (uint128) {
        return uint128(uint256(guarantee) * (100 - percent) / 100);
    }

    /// @notice The DAO's fee at payday (HW-15).
    function feeDown(uint128 locked, uint16 perMille) internal pure returns (uint128) {
        // At most the locked sum, because a factory refuses fees above 1000 per mille.
        return uint128(uint256(locked) * perMille / 1000);
    }
}
